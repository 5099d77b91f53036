"""The log: an append-only event store with streams, conditions, subscriptions and aggregates.

Start at `open_store(url)`; it returns an `EventStore`.
"""

from eventstore.aggregate import Aggregate
from eventstore.async_store import AsyncEventStore
from eventstore.async_subscription import AsyncSubscription, subscribe_async
from eventstore.blame import Blamed
from eventstore.causation import Link
from eventstore.difference import Difference
from eventstore.errors import (
    AppendConditionFailed,
    Conflict,
    DefinitionError,
    DuplicateEventId,
    EventfoldError,
    InvalidEvent,
    InvalidInput,
    InvalidStreamName,
    NewerEventSchema,
    NotFound,
    NotMigrated,
    PayloadTooLarge,
    SchemaTooNew,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    StreamNotFound,
    UnfitState,
    UnknownEventType,
    UnreadableEvent,
    Unsupported,
    UpcastFailed,
    WrongExpectedVersion,
)
from eventstore.event import Event, Tag
from eventstore.expected import ANY, NO_STREAM, STREAM_EXISTS, ExpectedVersion
from eventstore.history import Step
from eventstore.loading import Loaded
from eventstore.log_cursor import Batch
from eventstore.new_event import Appended, NewEvent, StreamAppend
from eventstore.opening import open_store
from eventstore.query import AppendCondition, Query, QueryItem
from eventstore.recorded import Recorded, UnknownEvent
from eventstore.recording import Recording
from eventstore.snapshot_policy import SnapshotPolicy
from eventstore.store import EventStore
from eventstore.stream import stream_name
from eventstore.subscription import Subscription, subscribe
from eventstore.upcaster import JsonObject, Upcaster, upcasts

__all__ = [
    "ANY",
    "NO_STREAM",
    "STREAM_EXISTS",
    "Aggregate",
    "AppendCondition",
    "AppendConditionFailed",
    "Appended",
    "AsyncEventStore",
    "AsyncSubscription",
    "Batch",
    "Blamed",
    "Conflict",
    "DefinitionError",
    "Difference",
    "DuplicateEventId",
    "Event",
    "EventStore",
    "EventfoldError",
    "ExpectedVersion",
    "InvalidEvent",
    "InvalidInput",
    "InvalidStreamName",
    "JsonObject",
    "Link",
    "Loaded",
    "NewEvent",
    "NewerEventSchema",
    "NotFound",
    "NotMigrated",
    "PayloadTooLarge",
    "Query",
    "QueryItem",
    "Recorded",
    "Recording",
    "SchemaTooNew",
    "SnapshotPolicy",
    "Step",
    "StoreBusy",
    "StoreError",
    "StoreUnavailable",
    "StreamAppend",
    "StreamNotFound",
    "Subscription",
    "Tag",
    "UnfitState",
    "UnknownEvent",
    "UnknownEventType",
    "UnreadableEvent",
    "Unsupported",
    "UpcastFailed",
    "Upcaster",
    "WrongExpectedVersion",
    "open_store",
    "stream_name",
    "subscribe",
    "subscribe_async",
    "upcasts",
]
