"""Every error that Eventfold raises, in one tree.

    EventfoldError
    ├── DefinitionError          a class or function was declared in a way that cannot work
    ├── InvalidInput             a value given by the caller is not acceptable; nothing was stored
    │   ├── InvalidStreamName
    │   ├── InvalidEvent
    │   └── PayloadTooLarge
    ├── Conflict                 the log has moved on since the caller looked; nothing was stored
    │   ├── WrongExpectedVersion
    │   ├── AppendConditionFailed
    │   └── DuplicateEventId
    ├── NotFound
    │   └── StreamNotFound
    ├── UnreadableEvent          a stored event cannot be turned into a declared type
    │   ├── UnknownEventType
    │   ├── NewerEventSchema
    │   └── UpcastFailed
    ├── UnfitState               a state cannot be kept as a snapshot: it would not read back equal
    └── StoreError               the database refused or could not be reached
        ├── StoreUnavailable
        ├── StoreBusy
        ├── NotMigrated
        ├── SchemaTooNew
        └── Unsupported

The rooms above add their own branches: `commands.errors`, `projections.errors`, `eventfold.errors`. Every class carries
`code` (stable text for machines) and `status` (the HTTP status a gateway answers with); every message ends with
what to do next.
"""

from typing import ClassVar

LONGEST_SHOWN = 120


def shown(value: object) -> str:
    """A value as an error shows it: a line at most, however large it is."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"


class EventfoldError(Exception):
    """The root: `except EventfoldError` catches whatever the framework raises on purpose."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500


class DefinitionError(EventfoldError, TypeError):
    """An event, aggregate, command, handler or projection is declared in a way that cannot work."""

    code = "definition"


class InvalidInput(EventfoldError, ValueError):
    """A value given by the caller is not acceptable. Nothing was stored."""

    code = "invalid_input"
    status = 400


class InvalidStreamName(InvalidInput):
    """A stream name is empty, too long, reserved or has characters that are not allowed."""

    code = "invalid_stream_name"


class InvalidEvent(InvalidInput):
    """An event, or what travels with it, cannot be stored so that it reads back equal.

    Attributes:
        problem: what is wrong, without what has become of it.
    """

    code = "invalid_event"

    def __init__(self, problem: str, then: str = "") -> None:
        self.problem = problem
        super().__init__(f"{problem}{then}")


class PayloadTooLarge(InvalidInput):
    """An encoded event exceeds the store's limit."""

    code = "payload_too_large"
    status = 413


class Conflict(EventfoldError):
    """The log has moved on since the caller looked. Nothing was stored; load again, decide again, append again."""

    code = "conflict"
    status = 409


class WrongExpectedVersion(Conflict):
    """A stream is not at the version that the append expected.

    Attributes:
        stream: the stream's name.
        expected: what the append asked for, as text ("3", "NO_STREAM", ...).
        actual: the stream's version at the time of the check; 0 where it has no events.
    """

    code = "wrong_expected_version"

    def __init__(self, stream: str, expected: object, actual: int) -> None:
        self.stream, self.expected, self.actual = stream, str(expected), actual
        found = f"it is at version {actual}" if actual else "it has no events"
        super().__init__(
            f"stream {stream!r}: expected {_expectation(expected)}, but {found}; nothing was stored. "
            "Load it again and decide again."
        )


def _expectation(expected: object) -> str:
    return f"version {expected}" if isinstance(expected, int) else str(expected)


class AppendConditionFailed(Conflict):
    """An event that the append condition forbids is in the log after the condition's position.

    Attributes:
        after: the position after which nothing may match.
        position: the first event found that matches.
    """

    code = "append_condition_failed"

    def __init__(self, after: int, position: int) -> None:
        self.after, self.position = after, position
        super().__init__(
            f"append condition: nothing may match after position {after}, but the event at position {position} does; "
            "nothing was stored. Read the query again and decide again."
        )


class DuplicateEventId(Conflict):
    """An event id is in the log already, with other content or as part of another append."""

    code = "duplicate_event_id"

    def __init__(self, event_id: str, stream: str, reason: str) -> None:
        self.event_id, self.stream = event_id, stream
        super().__init__(
            f"event id {event_id} in stream {stream!r}: {reason}; nothing was stored. "
            "Give every new event an id of its own, and repeat an append only as it was."
        )


class NotFound(EventfoldError, LookupError):
    """What was asked for is not there."""

    code = "not_found"
    status = 404


class StreamNotFound(NotFound):
    """A stream has no events, or had none at a moment."""

    code = "stream_not_found"

    def __init__(self, stream: str, message: str | None = None) -> None:
        self.stream = stream
        super().__init__(
            message or f"stream {stream!r} has no events. `eventfold streams list` shows the streams there are."
        )


class UnreadableEvent(EventfoldError):
    """A stored event cannot be turned into a declared type. The log is untouched."""

    code = "unreadable_event"


class UnknownEventType(UnreadableEvent):
    """A reader that needs every event of a stream met a type that it does not declare."""

    code = "unknown_event_type"


class NewerEventSchema(UnreadableEvent):
    """A stored event has a newer schema version than the code that reads it."""

    code = "newer_event_schema"


class UpcastFailed(UnreadableEvent):
    """An upcaster raised, or returned what no event can be made of."""

    code = "upcast_failed"


class UnfitState(EventfoldError):
    """A state would not read back equal from JSON, so no snapshot of it is kept. Loads fold the stream instead."""

    code = "unfit_state"


class StoreError(EventfoldError):
    """The database refused, or could not be reached."""

    code = "store"
    status = 503


class StoreUnavailable(StoreError):
    """The database cannot be reached or went away.

    An append under way may or may not be stored: repeat it with the same event ids, which stores it once.
    """

    code = "store_unavailable"


class StoreBusy(StoreError):
    """Somebody else held the database's lock for longer than the time allowed. Nothing was stored."""

    code = "store_busy"


class NotMigrated(StoreError):
    """The database lacks the tables, or has older ones than this code needs."""

    code = "not_migrated"


class SchemaTooNew(StoreError):
    """The database was migrated by a newer release than this one."""

    code = "schema_too_new"


class Unsupported(StoreError):
    """The backend cannot do what was asked."""

    code = "unsupported"
    status = 501
