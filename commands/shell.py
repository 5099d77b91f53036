"""Drives the steps of a command: in a thread, or in an event loop. All else is shared."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from sqlalchemy import Connection

from commands.errors import KeyTaken
from commands.idempotency.claim import Outcome
from commands.idempotency.ledger import Ledger
from commands.outbox.outbox import Outbox
from commands.receipt import Receipt
from commands.steps import (
    Append,
    FindOutcome,
    KeepOutcome,
    LoadQuery,
    LoadStreams,
    LookUpVersion,
    Pause,
    ReadReceipt,
    Remember,
    Step,
    Steps,
    Tell,
)
from eventstore import EventStore, Loaded
from eventstore.loading import load_query

Perform: TypeAlias = Callable[[Step], Any]
PerformAsync: TypeAlias = Callable[[Step], Awaitable[Any]]


def run(steps: Steps, perform: Perform) -> Receipt:
    """Does what the steps ask for, blocking."""
    result: Any = None
    failure: Exception | None = None
    while True:
        try:
            step = steps.send(result) if failure is None else steps.throw(failure)
        except StopIteration as stop:
            return _receipt(stop)
        result, failure = None, None
        try:
            result = perform(step)
        except Exception as error:  # noqa: BLE001 - thrown into the steps, which decide
            failure = error


async def run_async(steps: Steps, perform: PerformAsync) -> Receipt:
    """Does what the steps ask for; reads in threads, appends in groups with other tasks."""
    result: Any = None
    failure: Exception | None = None
    while True:
        try:
            step = steps.send(result) if failure is None else steps.throw(failure)
        except StopIteration as stop:
            return _receipt(stop)
        result, failure = None, None
        try:
            result = await perform(step)
        except Exception as error:  # noqa: BLE001 - thrown into the steps, which decide
            failure = error


def _receipt(stop: StopIteration) -> Receipt:
    receipt: Receipt = stop.value
    return receipt


def perform_in(store: EventStore, ledger: Ledger, outbox: Outbox, step: Step) -> Any:
    """Does what a step asks for, in the log."""
    match step:
        case LoadStreams() | LoadQuery():
            return _load(step, store)
        case LookUpVersion(stream):
            return store.stream_version(stream)
        case Append(appends, condition, beside):
            return store.append_all(appends, condition=condition, beside=beside)
        case Remember(loaded, appends, appended):
            return store.snapshots.after_append(loaded, appends, appended)
        case Pause(seconds):
            return time.sleep(seconds)
        case FindOutcome() | KeepOutcome() | ReadReceipt():
            return _once(step, store, ledger)
        case Tell():
            return _tell(step, ledger, outbox)


async def perform_in_async(store: EventStore, ledger: Ledger, outbox: Outbox, step: Step) -> Any:
    """The same from an asyncio task."""
    match step:
        case LoadStreams() | LoadQuery():
            return await asyncio.to_thread(_load, step, store)
        case LookUpVersion(stream):
            return await asyncio.to_thread(store.stream_version, stream)
        case Append(appends, condition, beside):
            return await store.append_all_async(appends, condition=condition, beside=beside)
        case Remember(loaded, appends, appended):
            return store.snapshots.after_append(loaded, appends, appended)
        case Pause(seconds):
            return await asyncio.sleep(seconds)
        case FindOutcome() | KeepOutcome() | ReadReceipt():
            return await asyncio.to_thread(_once, step, store, ledger)
        case Tell():
            return await asyncio.to_thread(_tell, step, ledger, outbox)


def _load(step: LoadStreams | LoadQuery, store: EventStore) -> list[Loaded[Any]] | Loaded[Any]:
    if isinstance(step, LoadQuery):
        return load_query(store.backend, step.aggregate, step.query, step.start)
    return [store.load_stream(aggregate, stream) for aggregate, stream in step.targets]


def _once(step: FindOutcome | KeepOutcome | ReadReceipt, store: EventStore, ledger: Ledger) -> Any:
    match step:
        case FindOutcome(claim):
            return ledger.find(claim)
        case KeepOutcome(claim, outcome):
            return ledger.keep(claim, outcome)
        case ReadReceipt(outcome):
            return _read_receipt(store, outcome)


def _read_receipt(store: EventStore, outcome: Outcome) -> Receipt:
    """The receipt of the first time; where something was stored, the log says what."""
    if not outcome.event_ids:
        return Receipt(outcome.stream, outcome.version, outcome.position, (), outcome.versions)
    stored = [store.event(each) for each in outcome.event_ids]
    versions = {each.stream: each.version for each in stored}
    stream = stored[0].stream
    events = tuple(each.event for each in stored)
    return Receipt(stream, versions[stream], max(each.position for each in stored), events, versions)


def _tell(step: Tell, ledger: Ledger, outbox: Outbox) -> None:
    """Messages, mark and key in one transaction: told once, also where the same command comes twice at the same instant."""

    def keep_key(connection: Connection | None) -> None:
        if step.fire is not None:
            step.fire.mark(connection)
        if step.claim is not None and not ledger.keep(step.claim, step.outcome, connection):
            raise KeyTaken

    outbox.keep(step.messages, keep_key)
