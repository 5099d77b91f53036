"""The way of a command, without input or output: what to load, what to append, when to try again.

`dispatch_steps` is a generator. It yields what it needs done (`LoadStreams`, `Append`, `Pause`, ...)
and is sent the result; a thread and an event loop drive the same steps, see `shell.py`.

1. Load the decision's streams, or fold its query.
2. Decide. `Rejected` ends it here; nothing is stored.
3. Append with the versions that were loaded, also of streams that are only read; or with a condition on the query.
4. On a conflict: pause, and go back to 1. Bounded by the policy.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from commands.cloud_event import CloudEvent
from commands.envelope import Envelope
from commands.errors import TooManyConflicts
from commands.handler import Handler
from commands.idempotency.claim import Claim, Outcome
from commands.message import Message, NewMessage
from commands.outbox.companion import Traced
from commands.outbox.outbox import Outbox
from commands.outbox.preparation import current_traceparent
from commands.receipt import Receipt
from commands.retry import RetryPolicy
from commands.schedule.fire import Fire
from eventstore import (
    ANY,
    Aggregate,
    AppendCondition,
    AppendConditionFailed,
    Appended,
    DefinitionError,
    Event,
    Loaded,
    NewEvent,
    Query,
    StreamAppend,
    WrongExpectedVersion,
)
from eventstore.stream import id_of

OUTGOING = (Message, NewMessage)


class LoadStreams(msgspec.Struct, frozen=True):
    """Load these aggregates; answered with a list of `Loaded`."""

    targets: list[tuple[type[Aggregate[Any]], str]]


class LoadQuery(msgspec.Struct, frozen=True):
    """Fold the aggregate from the events that match; answered with a `Loaded` whose position is the log's horizon."""

    aggregate: type[Aggregate[Any]]
    query: Query
    start: Aggregate[Any]


class LookUpVersion(msgspec.Struct, frozen=True):
    """Look up the version of a stream that was not loaded; answered with it."""

    stream: str


class Append(msgspec.Struct, frozen=True):
    """Append; answered with `Appended`. `beside` is what companions of the log write in the same transaction."""

    appends: list[StreamAppend]
    condition: AppendCondition | None
    beside: tuple[object, ...] = ()


class FindOutcome(msgspec.Struct, frozen=True):
    """Look up what is kept under an idempotency key; answered with it, or None."""

    claim: Claim


class KeepOutcome(msgspec.Struct, frozen=True):
    """Keep the outcome of a command that stores nothing; answered with whether the key was free."""

    claim: Claim
    outcome: Outcome


class ReadReceipt(msgspec.Struct, frozen=True):
    """Read the events of a command that was done before; answered with its receipt."""

    outcome: Outcome


class Tell(msgspec.Struct, frozen=True):
    """Store the messages of a command that stores no events, with its key and its schedule's mark; answered with nothing."""

    messages: list[CloudEvent]
    claim: Claim | None
    outcome: Outcome
    fire: Fire | None = None


class Pause(msgspec.Struct, frozen=True):
    """Wait so many seconds."""

    seconds: float


class Remember(msgspec.Struct, frozen=True):
    """Have snapshots written where they are due, in the background; answered with nothing."""

    loaded: Mapping[str, tuple[type[Aggregate[Any]], Loaded[Any]]]
    appends: list[StreamAppend]
    appended: Appended


Step: TypeAlias = (
    LoadStreams | LoadQuery | LookUpVersion | Append | Remember | Pause | FindOutcome | KeepOutcome | ReadReceipt | Tell
)
Steps: TypeAlias = Generator[Step, Any, Receipt]


def dispatch_steps(
    handler: Handler[..., Any],
    envelope: Envelope,
    policy: RetryPolicy | None,
    outbox: Outbox,
    beside: tuple[object, ...] = (),
) -> Steps:
    """Decides and appends, trying again after a conflict; without a policy, that is left to the caller."""
    attempt = 1
    traceparent = current_traceparent()
    if traceparent is not None:
        beside = (*beside, Traced(traceparent))
    decided = _over_query if handler.query else _over_streams
    while True:
        try:
            return (yield from decided(handler, envelope, outbox, beside))
        except (WrongExpectedVersion, AppendConditionFailed) as conflict:
            if policy is None:
                raise
            if attempt >= policy.attempts:
                raise TooManyConflicts(
                    f"{type(envelope.command).__name__}: {attempt} attempts met a change by somebody else (last: {conflict})"
                ) from conflict
        yield Pause(policy.pause(attempt))
        attempt += 1


def _over_streams(handler: Handler[..., Any], envelope: Envelope, outbox: Outbox, beside: tuple[object, ...]) -> Steps:
    command = envelope.command
    targets = [(each.aggregate, each.stream(command)) for each in handler.parameters]
    loaded: list[Loaded[Any]] = yield LoadStreams(targets)
    _check_same(loaded)
    names = [each.name for each in handler.parameters]
    states = {name: each.state for name, each in zip(names, loaded, strict=True)}
    decided = by_parameter(handler, handler.decide(states, command))
    streams = {name: each.stream for name, each in zip(names, loaded, strict=True)}
    decided, messages = _apart(decided, streams, envelope, outbox)
    appends = [
        StreamAppend(each.stream, _enclose(decided[name], envelope), each.version)
        for name, each in zip(names, loaded, strict=True)
        if decided.get(name)
    ]
    if not appends:
        first = loaded[0]
        receipt = Receipt(first.stream, first.version, max(each.position for each in loaded), (), {})
        yield from _tell(receipt, messages, beside)
        return receipt
    appended: Appended = yield Append([*appends, *_guards(loaded, appends)], None, (*beside, *messages))
    by_stream = {each.stream: (aggregate, each) for (aggregate, _), each in zip(targets, loaded, strict=True)}
    yield Remember(by_stream, appends, appended)
    return _receipt(appends, appended)


def _check_same(loaded: Sequence[Loaded[Any]]) -> None:
    """Two parameters may name one stream, and somebody may append to it between their loads: that is a conflict, too."""
    versions: dict[str, int] = {}
    for each in loaded:
        if versions.setdefault(each.stream, each.version) != each.version:
            raise WrongExpectedVersion(each.stream, versions[each.stream], each.version)


def _guards(loaded: Sequence[Loaded[Any]], appends: Sequence[StreamAppend]) -> list[StreamAppend]:
    """The streams that were read and are not written: the decision holds only while they stand where they were."""
    written = {each.stream for each in appends}
    read = {each.stream: each.version for each in loaded if each.stream not in written}
    return [StreamAppend(stream, (), version) for stream, version in read.items()]


def _over_query(handler: Handler[..., Any], envelope: Envelope, outbox: Outbox, beside: tuple[object, ...]) -> Steps:
    command, parameter = envelope.command, handler.parameters[0]
    assert handler.query is not None  # noqa: S101 - for the type checker; the caller has looked
    query = handler.query(command)
    loaded: Loaded[Any] = yield LoadQuery(parameter.aggregate, query, handler.start(command))
    decided = by_parameter(handler, handler.decide({parameter.name: loaded.state}, command))
    stream = parameter.stream(command)
    decided, messages = _apart(decided, {parameter.name: stream}, envelope, outbox)
    events = decided.get(parameter.name)
    if not events:
        version: int = yield LookUpVersion(stream)
        receipt = Receipt(stream, version, loaded.position, (), {})
        yield from _tell(receipt, messages, beside)
        return receipt
    appends = [StreamAppend(stream, _enclose(events, envelope), ANY)]
    appended: Appended = yield Append(appends, AppendCondition(query, loaded.position), (*beside, *messages))
    return _receipt(appends, appended)


def by_parameter(handler: Handler[..., Any], decided: Any) -> Mapping[str, Sequence[Any]]:
    """What a decision returned, as events for each of its parameters.

    Raises:
        DefinitionError: it is neither a list of events nor, where it has several streams, a dict of them.
    """
    names = [each.name for each in handler.parameters]
    if isinstance(decided, Mapping):
        if unknown := decided.keys() - set(names):
            raise DefinitionError(f"handler {handler.name}: returned events for {sorted(unknown)}, expected {names}")
        for name, events in decided.items():
            if not isinstance(events, (list, tuple)):
                raise DefinitionError(f"handler {handler.name}: {name}: expected a list of events, got {events!r}")
        return decided
    if not isinstance(decided, (list, tuple)):
        raise DefinitionError(f"handler {handler.name}: expected a list of events, got {decided!r}")
    if len(names) > 1 and decided:
        raise DefinitionError(f"handler {handler.name}: return a dict from {' or '.join(names)} to a list of events")
    return {names[0]: decided}


def _apart(
    decided: Mapping[str, Sequence[Any]], streams: Mapping[str, str], envelope: Envelope, outbox: Outbox
) -> tuple[Mapping[str, Sequence[Any]], list[CloudEvent]]:
    """The events of a decision, and its messages, ready to be sent."""
    if not any(isinstance(each, OUTGOING) for returned in decided.values() for each in returned):
        return decided, []
    cause = envelope.causation_id or envelope.command_id
    messages = [
        outbox.sealed(each, key=id_of(streams[name]), correlation_id=envelope.correlation_id, causation_id=cause)
        for name, returned in decided.items()
        for each in returned
        if isinstance(each, OUTGOING)
    ]
    events = {name: [each for each in found if not isinstance(each, OUTGOING)] for name, found in decided.items()}
    return events, messages


def _tell(receipt: Receipt, messages: list[CloudEvent], beside: tuple[object, ...]) -> Generator[Step, Any, None]:
    """What a command tells others that stores no events. Nothing guards what it has read."""
    if messages:
        claim = next((each for each in beside if isinstance(each, Claim)), None)
        fire = next((each for each in beside if isinstance(each, Fire)), None)
        yield Tell(messages, claim, nothing_new(receipt), fire)


def nothing_new(receipt: Receipt) -> Outcome:
    """The outcome of a command that has stored no events."""
    return Outcome(receipt.stream, receipt.version, receipt.position, receipt.versions)


def _enclose(events: Sequence[Event | NewEvent[Any]], envelope: Envelope) -> list[NewEvent[Any]]:
    return [_enclose_one(event, envelope) for event in events]


def _enclose_one(event: Event | NewEvent[Any], envelope: Envelope) -> NewEvent[Any]:
    if not isinstance(event, NewEvent):
        return NewEvent(
            event,
            None,
            envelope.occurred_at,
            (),
            envelope.metadata,
            envelope.correlation_id,
            envelope.causation_id or envelope.command_id,
        )
    return msgspec.structs.replace(
        event,
        occurred_at=event.occurred_at or envelope.occurred_at,
        metadata=_joined(envelope.metadata, event.metadata),
        correlation_id=event.correlation_id or envelope.correlation_id,
        causation_id=event.causation_id or envelope.causation_id or envelope.command_id,
    )


def _joined(brought: Any, own: Any) -> Any:
    """The metadata of a command and of an event, whose own goes first; what is no dict is left for the append to refuse."""
    for each in (own, brought):
        if each is not None and not isinstance(each, Mapping):
            return each
    return {**(brought or {}), **(own or {})} or None


def _receipt(appends: Sequence[StreamAppend], appended: Appended) -> Receipt:
    events = tuple(new.event for each in appends for new in each.events)
    stream = appends[0].stream
    return Receipt(stream, appended.versions[stream], appended.position, events, appended.versions)
