"""The catalogue of messages: what a service tells others, and hears of them, as Markdown for people."""

from collections.abc import Sequence

import msgspec

from commands.message import Message, message_type, message_version
from eventstore.schema.catalogue import block_of, meaning_and_fields
from eventstore.schema.json_schema import json_schema
from eventstore.schema.shape import flat, readable_example


class Listed(msgspec.Struct, frozen=True):
    """A class of messages in the catalogue.

    Attributes:
        message: the class.
        channel: where it goes, or comes from; None where each message says so itself.
        uses: who sends or consumes it, in words.
    """

    message: type[Message]
    channel: str | None
    uses: tuple[str, ...]


def messages_as_markdown(title: str, messages: Sequence[Listed]) -> str:
    """A page with a section for each message, by name."""
    ordered = sorted(messages, key=lambda each: (message_type(each.message), each.channel or ""))
    return "\n\n".join([f"# Messages of {title}", *map(_section, ordered)])


def _section(listed: Listed) -> str:
    cls = listed.message
    where = "on a channel that each names" if listed.channel is None else f"on channel `{listed.channel}`"
    lines = [f"## {message_type(cls)}", "", f"Version {message_version(cls)}, {where}: {', '.join(listed.uses)}."]
    try:
        schema = flat(json_schema(cls))
        example = readable_example(schema, msgspec.json.Decoder(cls).decode)
    except TypeError:  # it may be sent all the same: only who reads it has to know what its fields are
        return "\n".join([*lines, *meaning_and_fields(cls, {}), "", "JSON Schema has no words for its fields."])
    return "\n".join([*lines, *meaning_and_fields(cls, schema), *block_of(example)])
