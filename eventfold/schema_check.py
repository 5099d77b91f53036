"""What schema checks need to know of an application."""

from collections.abc import Iterator, Mapping
from typing import Any

from eventfold.parts import Parts
from eventstore import Aggregate
from eventstore.aggregate import category_of, codec_for
from eventstore.codec import Codec


def needed_by_category(parts: Parts) -> Mapping[str, list[Codec]]:
    """For categories whose streams are loaded as a whole, the codecs of the aggregates that are folded from them."""
    found: dict[str, list[Codec]] = {}
    for aggregate in (*parts.declared_aggregates, *_loaded_by_handlers(parts)):
        codecs = found.setdefault(category_of(aggregate), [])
        if codec_for(aggregate) not in codecs:
            codecs.append(codec_for(aggregate))
    return found


def _loaded_by_handlers(parts: Parts) -> Iterator[type[Aggregate[Any]]]:
    return (each.aggregate for handler in parts.handlers if handler.query is None for each in handler.parameters)
