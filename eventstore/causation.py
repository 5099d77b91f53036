"""What led to an event, and what it led to: the tree of causation, up and down."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventstore.backend import Row
from eventstore.bounds import check_number
from eventstore.codec import Codec
from eventstore.errors import InvalidEvent, InvalidInput, NotFound, UnreadableEvent
from eventstore.identifier import canonical_id, check_event_id
from eventstore.recorded import Recorded
from eventstore.store import EventStore

BATCH = 500
"""How many causes are looked up at once."""


class Link(msgspec.Struct, frozen=True):
    """One message in a tree of causation.

    Attributes:
        id: its id.
        depth: how far it is from the message that was asked about, which is 0.
        recorded: the event; None where the message is none of this log: a command, or something from outside.
        again: whether it stands elsewhere in the tree already, because its causes go round in a circle; they are followed no
            further.
    """

    id: str
    depth: int
    recorded: Recorded[Any] | None
    again: bool = False


def causes(store: EventStore, event_id: str, *, max_depth: int | None = None) -> list[Link]:
    """The event, what caused it, what caused that, and so on.

    Ends with an event that says no cause, or with a cause that is none of this log.

    Args:
        store: the log.
        event_id: the event's id.
        max_depth: how many causes to go up; by default all.

    Raises:
        InvalidEvent: the id is not a UUID.
        NotFound: no event has it.
    """
    _check_depth(max_depth)
    recorded = _event(store, check_event_id(event_id))
    if recorded is None:
        raise NotFound(f"no event has the id {event_id}. `eventfold events list` shows the events there are.")
    found, seen = [Link(recorded.event_id, 0, recorded)], {recorded.event_id}
    while recorded.causation_id is not None and found[-1].depth != max_depth:
        cause = _event(store, recorded.causation_id)
        cause_id = recorded.causation_id if cause is None else cause.event_id
        found.append(Link(cause_id, len(found), cause, again=cause_id in seen))
        if cause is None or cause_id in seen:
            break
        seen.add(cause_id)
        recorded = cause
    return found


def effects(store: EventStore, message_id: str, *, max_depth: int | None = None) -> list[Link]:
    """The event, what it caused, what that caused, and so on: each followed by its own effects, in the order of the log.

    Args:
        store: the log.
        message_id: the event's id, or that of another message that events name as their cause.
        max_depth: how many steps to go down; by default all.

    Raises:
        InvalidInput: it is no id at all.
        NotFound: no event has the id or names it as its cause.
    """
    _check_depth(max_depth)
    if not isinstance(message_id, str) or not message_id or not message_id.isprintable():
        raise InvalidInput(f"message id: expected printable text, got {message_id!r}")
    root = _event(store, message_id)
    start = canonical_id(message_id) if root is None else root.event_id
    below = _gather(store, start, max_depth)
    if root is None and start not in below:
        raise NotFound(
            f"no event has the id {message_id!r}, and none names it as its cause. `eventfold events list` shows the events "
            "there are."
        )
    return list(_in_order(Link(start, 0, root), below))


def _gather(store: EventStore, start: str, max_depth: int | None) -> dict[str, list[Recorded[Any]]]:
    """The effects of each message that has any, gathered level by level."""
    below: dict[str, list[Recorded[Any]]] = {}
    level, seen, depth = [start], {start}, 0
    while level and depth != max_depth:
        batches = [level[i : i + BATCH] for i in range(0, len(level), BATCH)]
        found = [_decoded(store, row) for each in batches for row in store.backend.caused_rows(each)]
        for each in found:
            below.setdefault(str(each.causation_id), []).append(each)
        level = [each.event_id for each in found if each.event_id not in seen]
        seen.update(level)
        depth += 1
    return below


def _in_order(root: Link, below: dict[str, list[Recorded[Any]]]) -> Iterator[Link]:
    pending, seen = [root], set[str]()
    while pending:
        link = pending.pop()
        yield link
        if not link.again:
            seen.add(link.id)
            inner = below.get(link.id, ())
            pending.extend(
                Link(each.event_id, link.depth + 1, each, again=each.event_id in seen) for each in reversed(inner)
            )


def _event(store: EventStore, message_id: str) -> Recorded[Any] | None:
    """The event with this id; None where the message is none of this log."""
    try:
        row = store.backend.event_row(check_event_id(message_id))
    except InvalidEvent:
        return None
    return None if row is None else _decoded(store, row)


def _decoded(store: EventStore, row: Row) -> Recorded[Any]:
    """The first event that a stored one is read as. One that cannot be read, or is dropped, still has causes and effects."""
    try:
        found = store.codec.decode([row])
    except UnreadableEvent:
        found = []
    return (found or _ANYTHING.decode([row]))[0]


_ANYTHING = Codec()


def _check_depth(max_depth: int | None) -> None:
    if max_depth is not None:
        check_number("max_depth", max_depth)
