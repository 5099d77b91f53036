"""Tests for events of the past: what was stored reads as events of today.

stored("OrderPlaced", 1, {"order_id": "7", "total": 2.5}).reads_as(OrderPlaced("7", 250))
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from eventstore.backend import Row
from eventstore.codec import Codec
from eventstore.errors import UnreadableEvent
from eventstore.event import Event
from eventstore.recorded import UnknownEvent
from eventstore.schema.check import check
from eventstore.schema.lock import read_lock


class Stored:
    """A stored event, whose type and fields may be of any age."""

    def __init__(self, type: str, version: int, data: Mapping[str, Any]) -> None:  # noqa: A002 - the word of the log
        self._row: Row = (
            *(1, "test-1", 1, 0, type, version, "00000000-0000-7000-8000-000000000000"),
            *(None, None, None, None, None),
            msgspec.json.encode(data).decode(),
        )

    def reads_as(self, *events: Event, declared: Any = None) -> None:
        """It reads as exactly these events of today, in this order; as none where an upcaster drops it.

        Args:
            events: of today.
            declared: the event classes of the reader; by default those of `events`. Where an upcaster drops the event, or
                yields types that are not expected here, name them all, as in `app.parts.events`.

        Raises:
            AssertionError: it reads as something else.
            UnreadableEvent: it cannot be read.
        """
        __tracebackhide__ = True
        classes = tuple(dict.fromkeys(type(each) for each in events)) if declared is None else declared
        try:
            found = [each.event for each in Codec(classes).decode([self._row])]
        except UnreadableEvent as error:
            raise error.with_traceback(None)  # noqa: B904 - it is the same one, without the frames in here
        if found != list(events):
            raise AssertionError(f"expected {list(events)!r}, got {found!r}{_undeclared(found)}")


def _undeclared(found: Sequence[Any]) -> str:
    unknown = dict.fromkeys(each.type for each in found if isinstance(each, UnknownEvent))
    if not unknown:
        return ""
    return (
        f"; no class reads {', '.join(unknown)}: name all event classes of the reader, as in "
        "`reads_as(..., declared=app.parts.events)`"
    )


def stored(type: str, version: int, data: Mapping[str, Any]) -> Stored:  # noqa: A002 - the word of the log
    """A stored event.

    Args:
        type: its stored name.
        version: its schema version.
        data: its fields, as JSON has them.
    """
    return Stored(type, version, data)


def assert_locked_shapes_read(lock: Path | str, declared: Any, *, retired: Collection[str] = ()) -> int:
    """The example of every shape that was ever locked still reads as events of today.

    Args:
        lock: the file that `eventfold schema lock` writes.
        declared: the event classes of the program.
        retired: the types that nobody needs any more; those of an application are `app.parts.retired`.

    Returns:
        How many examples were read.

    Raises:
        AssertionError: one does not read; each such type, version and field is named.
    """
    __tracebackhide__ = True
    held = read_lock(Path(lock))
    if not held.events:
        raise AssertionError(f"{Path(lock).name}: nothing is locked; run `eventfold schema lock`")
    problems = check(held, Codec(declared), retired)
    if problems:
        unread = any("no event class reads it" in each.problem for each in problems) and not retired
        hint = ["Where aggregates retire types, give `retired=app.parts.retired`, too."] if unread else []
        raise AssertionError("\n".join([*(each.problem for each in problems), *hint]))
    return sum(shape.example is not None for each in held.events for shape in each.shapes)
