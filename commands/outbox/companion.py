"""Stores messages in the transaction of the append that they tell of: a companion of the log."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from commands.clock import now_us
from commands.cloud_event import CloudEvent
from commands.outbox.preparation import MAX_TEXT, TRACEPARENT
from commands.outbox.publish import ToMessage, told_of
from commands.outbox.table import OutboxTable
from eventstore import NO_STREAM, Recorded
from eventstore.backend import WriteRequest
from eventstore.companion import Insert, Stored
from eventstore.encoding import decoder_of
from eventstore.event import Event, event_type


class Traced(msgspec.Struct, frozen=True):
    """The span under way while an append was asked for; its messages carry it on. Stands in `WriteRequest.beside`."""

    traceparent: str


class OutboxCompanion:
    """See `eventstore.companion.Companion`. Messages that are told outright stand in `WriteRequest.beside`, ready to be sent.

    Args:
        table: where messages are kept.
        source: the service.
        publish: from classes of events to what others are told of them.
    """

    def __init__(self, table: OutboxTable, source: str, publish: Mapping[type[Event], ToMessage]) -> None:
        self._table, self._source = table, source
        self._maps: dict[str, tuple[ToMessage, Callable[[str], Any]]] = {
            event_type(cls): (function, decoder_of(cls)) for cls, function in publish.items()
        }

    def concerns(self, request: WriteRequest) -> bool:
        """Whether one of its events is published, or messages stand beside it."""
        if request.beside and any(type(each) is CloudEvent for each in request.beside):
            return True
        maps = self._maps
        return any(row[0] in maps for write in request.writes for row in write.rows)

    def types(self, _requests: Sequence[WriteRequest]) -> Iterable[str]:
        """None: whoever writes to a stream waits for the one before, so the messages of a stream come in its order."""
        return ()

    def inserts(self, request: WriteRequest) -> Sequence[Insert] | None:
        """The messages as rows, where the versions of the events are known before they are stored.

        Raises:
            PublishFailed: the map of one of the events failed.
        """
        reached = _versions(request)
        if reached is None:
            return None
        now = now_us()
        return self._table.inserts(self._messages(request, reached, now), now)

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Stores the messages.

        Raises:
            PublishFailed: the map of one of the events failed.
            DuplicateMessage: the id of one of them is that of another message.
        """
        now = now_us()
        events = [event for each in stored for event in self._messages(each.request, each.written.versions, now)]
        if events:
            self._table.insert(connection, events, now)

    def forget(self, stored: Sequence[Stored]) -> None:
        """Takes the messages out again. Maps are pure: they say the same once more."""
        events = [event for each in stored for event in self._messages(each.request, each.written.versions, 0)]
        self._table.remove([each.id for each in events])

    def _messages(self, request: WriteRequest, reached: Mapping[str, int], now: int) -> list[CloudEvent]:
        found = [
            event
            for recorded, function in self._recorded(request, reached, now)
            for event in told_of(function, recorded, self._source, _traceparent(request, recorded))
        ]
        found += [each for each in request.beside if type(each) is CloudEvent]
        return found

    def _recorded(
        self, request: WriteRequest, reached: Mapping[str, int], now: int
    ) -> Iterable[tuple[Recorded[Any], ToMessage]]:
        """The events that are published, as they are being stored: where in the log that will be, nobody knows yet."""
        for write in request.writes:
            first = reached[write.stream] - len(write.rows) + 1 if write.rows else 0
            for version, row in enumerate(write.rows, first):
                found = self._maps.get(row[0])
                if found is not None:
                    function, decode = found
                    yield Recorded(decode(row[8]), 0, write.stream, version, now, *row[:8]), function


def _versions(request: WriteRequest) -> dict[str, int] | None:
    """The versions that streams will have; None where one of them depends on what is stored."""
    found = {}
    for write in request.writes:
        expected = 0 if write.expected is NO_STREAM else write.expected
        if not isinstance(expected, int):
            return None
        found[write.stream] = expected + len(write.rows)
    return found


def _traceparent(request: WriteRequest, recorded: Recorded[Any]) -> str | None:
    """What came with the event, such as the header of an incoming request, or the span in which it was appended."""
    if recorded.metadata_json is not None and TRACEPARENT in recorded.metadata_json:
        found = recorded.metadata.get(TRACEPARENT)
        if isinstance(found, str) and 0 < len(found) <= MAX_TEXT and found.isprintable():
            return found
    return next((each.traceparent for each in request.beside if isinstance(each, Traced)), None)
