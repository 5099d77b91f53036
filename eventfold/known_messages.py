"""The messages that an application sends and consumes, as far as it says so."""

import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

from commands.handler import classes_in
from commands.message import Message, channel_of
from commands.message_catalogue import Listed
from eventfold.log_publication import Publishing
from eventfold.parts import Parts
from eventstore.event import event_type


def known_messages(parts: Parts) -> list[Listed]:
    """Those of its maps and handlers by their return annotations, and those of its consumers."""
    found: dict[tuple[type[Message], str | None], list[str]] = {}
    for message, channel, use in [*_sent(parts), *_consumed(parts)]:
        found.setdefault((message, channel), []).append(use)
    return [Listed(message, channel, tuple(dict.fromkeys(uses))) for (message, channel), uses in found.items()]


def _sent(parts: Parts) -> Iterator[tuple[type[Message], str | None, str]]:
    publications = [each.many.maps for each in parts.reactions if isinstance(each.many, Publishing)]
    for maps in (parts.publish, *publications):
        for event, function in maps.items():
            for message in _returned_by(function):
                yield message, channel_of(message), f"sent of `{event_type(event)}`"
    for handler in parts.handlers:
        for message in handler.tells:
            if message is not Message:
                yield message, channel_of(message), f"sent by `{handler.name}`"


def _consumed(parts: Parts) -> Iterator[tuple[type[Message], str | None, str]]:
    for each in parts.consumers:
        for message in each.messages.values():
            yield message, each.reading.channel, f"consumed by `{each.name}` for group `{each.reading.group}`"


def _returned_by(function: Any) -> list[type[Message]]:
    """What a map makes; nothing where its annotation does not say."""
    try:
        hints = get_type_hints(function if inspect.isroutine(function) else type(function).__call__)
    except Exception:  # noqa: BLE001 - an annotation that type checkers alone can evaluate raises what it likes
        return []
    return [each for each in classes_in(hints.get("return"), Message) if each is not Message]
