"""A simulated broker repeats whatever it likes, readers come, go and die: effects are there once each, in order per key."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from commands.brokers.broker import Delivery
from commands.inbox.handling import MovedOn
from commands.inbox.parts import Parts
from eventstore.backend import Backend
from eventstore.opening import open_backend
from tests.commands.inbox.orders import Desk, Faults, delivered, make_shipments, placed, shipped, shipping

RUNS = count()
"""Each run has a partition and ids of its own, so that all of them can share one database."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["handle", "handle", "handle", "crash", "crash later", "begin", "retry"]),
        st.integers(0, 1),  # which reader
        st.integers(0, 4),  # how far the broker goes back
        st.integers(1, 6),  # how many messages it gives
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    path: Path = tmp_path_factory.mktemp("inbox") / "shipping.db"
    backend = open_backend(f"sqlite:///{path}", synchronous="NORMAL")
    assert backend.sql is not None
    backend.sql.migrator("commands", "commands.migrations").migrate()
    make_shipments(backend.sql)
    yield backend
    backend.close()


class PowerCutError(Exception):
    """Ends a process in the middle of a transaction."""


class InTurn(Executor):
    """No threads, so that a run can be repeated."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **options))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result is told
            future.set_exception(error)
        return future


class Reader(Desk):
    """A process that reads the partition, and dies before one of its commits when told to."""

    def read(self, messages: list[Delivery], back: int, number: int, *, dies_at: int = 0) -> None:
        begin = max(0, int(self.handling._mark.position or 0) - back)
        transaction, left = self.table.transaction, count(1)

        @contextmanager
        def cut() -> Iterator[Connection | None]:
            with transaction() as connection:
                yield connection
                if next(left) >= dies_at:
                    raise PowerCutError

        try:
            if dies_at:
                self.table.transaction = cut  # type: ignore[method-assign]
            self.handling.handle(messages[begin : begin + back + number])
        except (MovedOn, PowerCutError):
            self.table.transaction = transaction  # type: ignore[method-assign]
            self.handling.begin()
        finally:
            self.table.transaction = transaction  # type: ignore[method-assign]

    def drain(self, messages: list[Delivery]) -> None:
        """Reads to the end, and retries what is aside until nothing is."""
        while self.position != str(len(messages)):
            self.read(messages, 1, 5)
        while mine := [kept for kept, _ in self.table.heads(1_000, 0) if kept.lane == self.lane]:
            for kept in mine:
                self._retrying.retry(kept)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    repeats=st.lists(st.integers(0, 11), max_size=6),
    failing=st.dictionaries(st.integers(0, 11), st.integers(1, 9), max_size=3),
    parallel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    steps=STEPS,
)
def test_whatever_is_repeated_and_whoever_dies_each_message_is_handled_once_and_in_order(
    shared: Backend,
    keys: list[str],
    repeats: list[int],
    failing: dict[int, int],
    parallel: tuple[int, int],
    steps: list[tuple[str, int, int, int]],
) -> None:
    run, faults = next(RUNS), Faults()
    faults.left.update({run * 100 + number: often for number, often in failing.items()})
    numbers = [*range(len(keys)), *[each for each in repeats if each < len(keys)]]
    messages = delivered([placed(run * 100 + each, keys[each]) for each in numbers])
    readers = [Reader(shared, [shipping(faults)], partition=run, parts=Parts(most, InTurn())) for most in parallel]
    for each in readers:
        each.handling.begin()

    for action, which, back, number in steps:
        reader = readers[which]
        match action:
            case "handle":
                reader.read(messages, back, number)
            case "crash" | "crash later":
                reader.read(messages, back, number, dies_at=1 if action == "crash" else 1 + number % 4)
            case "begin":
                reader.handling.begin()
            case "retry":
                reader.retry_due()

    readers[0].drain(messages)

    assert shared.sql is not None
    done = shipped(shared.sql, lambda number: number // 100 == run)
    assert sorted(done) == [run * 100 + each for each in range(len(keys))]
    for key in set(keys):
        of_key = [each for each in done if keys[each % 100] == key]
        assert of_key == sorted(of_key)
