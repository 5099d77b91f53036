"""Guarded streams: an append depends on their version, and writes nothing to them."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventstore.async_store import AsyncEventStore
from eventstore.errors import InvalidInput, WrongExpectedVersion
from eventstore.expected import ANY, NO_STREAM, STREAM_EXISTS, ExpectedVersion
from eventstore.new_event import NewEvent, StreamAppend
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, StoreFactory
from eventstore.testing.contract.expected_versions import MET, NOT_MET
from eventstore.testing.contract.vocabulary import Deposited, StudentLeft, StudentSubscribed, Withdrawn

ROUNDS = 25


class Guards(StoreCases):
    """Streams that an append names with an expected version and without events."""

    @pytest.mark.parametrize(("expected", "actual"), [each for each in MET if each[0] is not ANY])
    def test_a_guarded_stream_that_is_as_expected_lets_the_append_through_and_is_not_written(
        self, store: EventStore, expected: ExpectedVersion, actual: int
    ) -> None:
        _fill(store, "account-1", actual)

        appended = store.append_all(
            [StreamAppend("account-1", [], expected), StreamAppend("account-2", [Deposited(1)], NO_STREAM)]
        )

        assert appended.versions == {"account-2": 1}
        assert len(appended.event_ids) == 1
        assert appended.position == store.head()
        assert store.stream_version("account-1") == actual

    @pytest.mark.parametrize(("expected", "actual"), NOT_MET)
    def test_a_guarded_stream_that_is_not_as_expected_refuses_the_append(
        self, store: EventStore, expected: ExpectedVersion, actual: int
    ) -> None:
        _fill(store, "account-1", actual)
        before = store.head()

        with pytest.raises(WrongExpectedVersion) as refused:
            store.append_all([StreamAppend("account-2", [Deposited(1)]), StreamAppend("account-1", [], expected)])

        assert (refused.value.stream, refused.value.actual) == ("account-1", actual)
        assert store.head() == before

    def test_streams_that_are_written_and_guarded_may_be_mixed(self, store: EventStore) -> None:
        for n in range(4):
            _fill(store, f"account-{n}", n)

        appended = store.append_all(
            [
                StreamAppend("account-3", [], 3),
                StreamAppend("account-2", [Deposited(1), Withdrawn(2)], 2),
                StreamAppend("account-0", [], NO_STREAM),
                StreamAppend("account-1", [Deposited(3)], STREAM_EXISTS),
            ]
        )

        assert appended.versions == {"account-2": 4, "account-1": 2}
        found = [(each.stream, each.event) for each in store.read_log()][-3:]
        assert found == [("account-2", Deposited(1)), ("account-2", Withdrawn(2)), ("account-1", Deposited(3))]

    def test_a_guard_without_an_expected_version_is_refused(self, store: EventStore) -> None:
        with pytest.raises(InvalidInput, match=r"'account-1'.*at least one event, or an expected version"):
            store.append_all([StreamAppend("account-1", []), StreamAppend("account-2", [Deposited(1)])])

        assert store.head() == 0

    def test_an_append_that_only_guards_is_refused(self, store: EventStore) -> None:
        with pytest.raises(InvalidInput, match="at least one event"):
            store.append_all([StreamAppend("account-1", [], NO_STREAM), StreamAppend("account-2", [], 0)])

    def test_a_stream_cannot_be_guarded_beside_being_written(self, store: EventStore) -> None:
        with pytest.raises(InvalidInput, match="each stream once"):
            store.append_all([StreamAppend("account-1", [Deposited(1)]), StreamAppend("account-1", [], NO_STREAM)])

    def test_a_guard_and_a_condition_both_hold(self, store: EventStore) -> None:
        _fill(store, "account-1", 1)
        unclaimed = AppendCondition(Query.of(StudentSubscribed, StudentLeft, tags=["student:ada"]))
        claim = StreamAppend("student-1", [StudentSubscribed("ada", "c")])

        with pytest.raises(WrongExpectedVersion):
            store.append_all([claim, StreamAppend("account-1", [], 2)], condition=unclaimed)
        store.append_all([claim, StreamAppend("account-1", [], 1)], condition=unclaimed)

        assert store.stream_version("student-1") == 1

    def test_a_repeated_append_returns_the_first_result_although_its_guard_has_moved(self, store: EventStore) -> None:
        event = NewEvent(Deposited(1), event_id="01890a5d-ac96-774b-bcce-b302099a8057")
        appends = [StreamAppend("account-1", [], NO_STREAM), StreamAppend("account-2", [event])]
        first = store.append_all(appends)
        _fill(store, "account-1", 1)

        assert store.append_all(appends) == first

    def test_of_two_doctors_on_call_one_stays_however_often_both_ask_to_leave_at_once(self, store: EventStore) -> None:
        left = _doctors(store, store)

        assert left == [1] * ROUNDS

    def test_of_many_tasks_that_guard_each_other_no_two_neighbours_succeed(self, store: EventStore) -> None:
        """Each of a ring of streams may be begun only while its neighbour is empty."""
        size = 24

        async def begin(n: int) -> bool:
            try:
                await AsyncEventStore(store).append_all(
                    [
                        StreamAppend(f"account-{n}", [Deposited(n)], NO_STREAM),
                        StreamAppend(f"account-{(n + 1) % size}", [], NO_STREAM),
                    ]
                )
            except WrongExpectedVersion:
                return False
            return True

        async def main() -> list[bool]:
            return await asyncio.gather(*(begin(n) for n in range(size)))

        begun = asyncio.run(main())

        guarded_later = [n for n in range(size) if begun[n] and begun[(n + 1) % size]]
        order = {each.stream: each.position for each in store.read_log()}
        assert any(begun)
        assert all(order[f"account-{n}"] < order[f"account-{(n + 1) % size}"] for n in guarded_later)

    def test_many_who_guard_the_same_stream_do_not_refuse_each_other(self, store: EventStore) -> None:
        _fill(store, "settings-1", 2)

        async def main() -> None:
            log = AsyncEventStore(store)
            guard = StreamAppend("settings-1", [], 2)
            await asyncio.gather(
                *(log.append_all([guard, StreamAppend(f"account-{n}", [Deposited(n)], NO_STREAM)]) for n in range(40))
            )

        asyncio.run(main())

        assert store.backend.count() == 42


class SharedGuards(StoreCases):
    """The same between stores on one log, as between processes."""

    needs = "shares_log"

    def test_of_two_doctors_on_call_in_two_stores_one_stays(self, open_store: StoreFactory) -> None:
        left = _doctors(open_store(), open_store())

        assert left == [1] * ROUNDS

    def test_the_log_shows_no_guarded_append_behind_what_would_have_refused_it(self, open_store: StoreFactory) -> None:
        """Appends that guard and plain ones, through two stores: each guard holds at its append's place in the log."""
        stores = [open_store(), open_store()]
        start = threading.Barrier(6)

        def write(n: int) -> None:
            chance, store = random.Random(n), stores[n % 2]  # noqa: S311 - a seeded test
            start.wait(PATIENCE_SECONDS)
            for _ in range(ROUNDS):
                mine, other = chance.sample([f"account-{i}" for i in range(4)], 2)
                seen = store.stream_version(other)
                try:
                    if chance.random() < 0.5:
                        store.append(mine, [Withdrawn(0)])
                    else:
                        event = NewEvent(Deposited(seen), metadata={"guards": other})
                        store.append_all([StreamAppend(mine, [event]), StreamAppend(other, [], seen)])
                except WrongExpectedVersion:
                    continue

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(write, range(6)))

        versions: dict[str, int] = {}
        guards = 0
        for each in stores[0].read_log():
            if isinstance(each.event, Deposited):
                assert versions.get(each.metadata["guards"], 0) == each.event.amount
                guards += 1
            versions[each.stream] = each.version
        assert guards > ROUNDS / 5


def _fill(store: EventStore, stream: str, version: int) -> None:
    if version:
        store.append(stream, [Deposited(n) for n in range(version)])


def _doctors(one: EventStore, other: EventStore) -> list[int]:
    """Two doctors are on call, and both ask to leave at once: each may while the other stays, and sees that he does.

    Returns:
        How many of the two left, in each round.
    """
    start = threading.Barrier(2)

    def ask_to_leave(number: int) -> list[bool]:
        store, left = (one, other)[number], []
        for n in range(ROUNDS):
            mine, theirs = f"account-{n}d{number}", f"account-{n}d{1 - number}"
            start.wait(PATIENCE_SECONDS)
            try:
                store.append_all([StreamAppend(mine, [Withdrawn(1)], NO_STREAM), StreamAppend(theirs, [], NO_STREAM)])
            except WrongExpectedVersion:
                left.append(False)
            else:
                left.append(True)
        return left

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask_to_leave, range(2))
    assert one.backend.count() == sum(first) + sum(second)
    return [sum(each) for each in zip(first, second, strict=True)]
