"""The relay: what becomes of messages that are confirmed, refused, or not answered, and how it is woken."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import psycopg
import pytest

from commands import BrokerError, BrokerUnavailable, CloudEvent, MessageRefused, RetryPolicy
from commands.clock import now_us
from commands.outbox import relaying
from commands.outbox.policy import RelayPolicy
from commands.outbox.relaying import START, Taken, ends_of, judge
from commands.outbox.sqlite_relaying import LEASE_US
from eventfold import Application, DefinitionError, NewMessage, Outbox, Relay
from eventstore import StoreBusy
from tests.commands.outbox.shop import HANDLERS, PUBLISH, Numbered, Place

AT_ONCE = RelayPolicy(retry=RetryPolicy(attempts=2, base_seconds=0.0, max_seconds=0.0))


class Recording:
    """A broker that keeps a list, and answers as it is told."""

    description = "recording"

    def __init__(self, answer: Callable[[CloudEvent], Exception | None] = lambda _: None) -> None:
        self.answer = answer
        self.kept: list[tuple[str, int]] = []
        self.calls = 0

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        self.calls += 1
        failed: dict[str, Exception | None] = {}
        for each in events:
            failed[each.key] = failed.get(each.key) or self.answer(each)
            if failed[each.key] is None:
                self.kept.append((each.key, number_of(each)))
        return [failed[each.key] for each in events]

    async def close(self) -> None:
        """Nothing to let go of."""


def number_of(event: CloudEvent) -> int:
    return msgspec.json.decode(event.data, type=Numbered).n


@pytest.fixture
def outbox(url: str) -> Iterator[Outbox]:
    with Outbox(url, migrate=True) as opened:
        yield opened


def add(outbox: Outbox, *messages: tuple[str, int]) -> None:
    outbox.send(*[NewMessage(Numbered(n), key=key) for key, n in messages])


def relay_once(outbox: Outbox, broker: Recording, policy: RelayPolicy = AT_ONCE) -> int:
    return asyncio.run(Relay(outbox, broker, policy).run_once())  # type: ignore[arg-type]  # nobody subscribes


def states(outbox: Outbox) -> list[tuple[int, str]]:
    return [(number_of(each.event), each.state) for each in outbox.messages(limit=None)]


def test_messages_are_handed_over_in_the_order_of_their_key_and_marked(outbox: Outbox) -> None:
    broker = Recording()
    add(outbox, *[(f"k{n % 3}", n) for n in range(50)])

    assert relay_once(outbox, broker, RelayPolicy(batch=7)) == 50
    assert relay_once(outbox, broker) == 0

    for key in range(3):
        assert [n for name, n in broker.kept if name == f"k{key}"] == list(range(key, 50, 3))
    assert {state for _, state in states(outbox)} == {"sent"}


def test_a_message_that_fails_is_tried_again_and_holds_up_its_own_key_alone(outbox: Outbox) -> None:
    failures = iter([BrokerError("busy")])
    broker = Recording(lambda event: next(failures, None) if number_of(event) == 1 else None)
    add(outbox, ("a", 1), ("a", 2), ("b", 3))

    assert relay_once(outbox, broker) == 3
    assert broker.kept == [("b", 3), ("a", 1), ("a", 2)]


def test_after_so_many_tries_it_is_parked_with_its_followers_until_somebody_lets_it_go(outbox: Outbox) -> None:
    broker = Recording(lambda event: BrokerError("no") if number_of(event) == 1 else None)
    add(outbox, ("a", 1), ("a", 2), ("b", 3))
    relay_once(outbox, broker)
    add(outbox, ("a", 4))
    relay_once(outbox, broker)

    assert states(outbox) == [(1, "parked"), (2, "parked"), (3, "sent"), (4, "parked")]
    assert [(each.attempts, each.error) for each in outbox.messages(state="parked")] == [
        (2, "no"),
        (0, None),
        (0, None),
    ]
    assert (outbox.status().parked, outbox.status().pending, outbox.status().sent) == (3, 0, 1)

    broker.answer = lambda _: None
    assert outbox.retry() == 3
    relay_once(outbox, broker)
    assert broker.kept == [("b", 3), ("a", 1), ("a", 2), ("a", 4)]


def test_one_that_is_refused_is_parked_at_once_and_can_be_given_up(outbox: Outbox) -> None:
    broker = Recording(lambda event: MessageRefused("too large") if number_of(event) == 1 else None)
    add(outbox, ("a", 1), ("a", 2))
    relay_once(outbox, broker)
    [first, _] = outbox.messages()

    assert (first.state, first.attempts, first.error) == ("parked", 1, "too large")
    assert outbox.discard(first.event.id).event == first.event
    relay_once(outbox, broker)
    assert broker.kept == [("a", 2)]
    assert states(outbox) == [(2, "sent")]


def test_where_the_policy_says_so_followers_go_on_without_it(outbox: Outbox) -> None:
    broker = Recording(lambda event: MessageRefused("no") if number_of(event) == 1 else None)
    policy = RelayPolicy(retry=AT_ONCE.retry, on_parked="skip")
    add(outbox, ("a", 1), ("a", 2))
    relay_once(outbox, broker, policy)
    add(outbox, ("a", 3))
    relay_once(outbox, broker, policy)

    assert states(outbox) == [(1, "parked"), (2, "sent"), (3, "sent")]


def test_a_broker_that_is_away_counts_against_no_message_and_is_told_in_the_status(outbox: Outbox) -> None:
    broker = Recording(lambda event: BrokerUnavailable("away") if number_of(event) != 3 else None)
    add(outbox, ("a", 1), ("b", 3))

    with pytest.raises(BrokerUnavailable, match="away"):
        relay_once(outbox, broker)
    assert states(outbox) == [(1, "pending"), (3, "sent")]
    assert outbox.status().broker_error == "away"

    broker.answer = lambda _: None
    relay_once(outbox, broker)
    assert (outbox.status().broker_error, outbox.status().sent) == (None, 2)


def test_a_round_of_more_keys_than_a_batch_that_all_wait_for_their_next_try_ends(outbox: Outbox) -> None:
    broker = Recording(lambda _: BrokerError("no"))
    policy = RelayPolicy(retry=RetryPolicy(attempts=2, base_seconds=3600.0, max_seconds=3600.0), batch=1)
    add(outbox, ("a", 1), ("b", 2))

    assert relay_once(outbox, broker, policy) == 0
    assert broker.calls == 2


def test_a_channel_that_is_full_holds_up_no_other_and_counts_against_no_message(outbox: Outbox) -> None:
    broker = Recording(lambda event: BrokerUnavailable("full", "numbers") if event.key != "b" else None)
    add(outbox, ("a", 1), ("a", 2), ("b", 3))
    policy = RelayPolicy(retry=AT_ONCE.retry, batch=1)

    assert relay_once(outbox, broker, policy) == 1
    [first, second, third] = outbox.messages()
    assert (first.attempts, first.error, first.parked_us) == (0, "full", None)
    assert (second.attempts, second.error, third.state) == (0, None, "sent")
    assert first.next_try_us > now_us()
    assert outbox.status().broker_error is None


def test_a_channel_that_is_full_for_long_parks_nothing(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "FULL_US", 0)
    left = 20

    def answer(_: CloudEvent) -> Exception | None:
        nonlocal left
        left -= 1
        return BrokerUnavailable("full", "numbers") if left else None

    add(outbox, ("a", 1))
    broker = Recording(answer)
    while outbox.status().pending + outbox.status().waiting:
        relay_once(outbox, broker)

    assert broker.calls == 20
    assert states(outbox) == [(1, "sent")]


def test_sent_messages_are_forgotten_after_their_time(outbox: Outbox) -> None:
    add(outbox, ("a", 1))
    relay_once(outbox, Recording())

    assert outbox.prune() == 0
    assert outbox.prune(0) == 1
    assert outbox.messages() == []


def test_behind_one_that_fails_nothing_of_its_key_that_was_read_ahead_is_handed_over(outbox: Outbox) -> None:
    failures = iter([BrokerError("busy")])
    broker = Recording(lambda event: next(failures, None) if number_of(event) == 1 else None)
    add(outbox, *[(key, n) for n in range(8) for key in "ab"])

    while outbox.status().pending:
        relay_once(outbox, broker, msgspec.structs.replace(AT_ONCE, batch=4))

    for name in "ab":  # what was handed over together with the one that failed comes again, and nothing is ahead of it
        arrived = [n for key, n in broker.kept if key == name]
        assert list(dict.fromkeys(arrived)) == list(range(8))
        assert all(after <= before + 1 for before, after in pairwise(arrived))


def test_while_the_broker_is_away_nothing_that_was_read_ahead_is_tried_or_held(outbox: Outbox) -> None:
    broker = Recording(lambda event: BrokerUnavailable("away") if number_of(event) == 5 else None)
    add(outbox, *[("a", n) for n in range(20)])
    policy = msgspec.structs.replace(AT_ONCE, batch=4)

    with pytest.raises(BrokerUnavailable, match="away"):
        relay_once(outbox, broker, policy)
    assert broker.kept == [("a", n) for n in range(5)]  # nothing behind 5, which was read meanwhile

    broker.answer = lambda _: None
    relay_once(outbox, broker, policy)
    assert list(dict.fromkeys(n for _, n in broker.kept)) == list(range(20))


def test_where_the_next_ones_cannot_be_read_those_in_hand_are_settled_nevertheless(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, take = Recording(), outbox.relays.take
    add(outbox, *[("a", n) for n in range(4)])

    def busy(*arguments: Any, ahead: Any, **options: Any) -> Taken:
        if ahead:
            raise StoreBusy("somebody writes")
        return take(*arguments, ahead=ahead, **options)

    monkeypatch.setattr(outbox.relays, "take", busy)
    assert relay_once(outbox, broker, msgspec.structs.replace(AT_ONCE, batch=2)) == 4
    assert broker.kept == [("a", n) for n in range(4)]


def test_two_relays_share_the_keys_and_neither_waits_for_the_other(sql_url: str) -> None:
    if sql_url.startswith("sqlite"):  # there, one has its turn
        with Outbox(sql_url) as outbox:
            add(outbox, ("a", 1))
            assert outbox.relays.take("one", START, 10, 0, hold=True).rows
            assert not outbox.relays.take("two", START, 10, 1, hold=True).rows
            outbox.relays.release("one")
            assert outbox.relays.take("two", START, 10, 2, hold=True).rows
        return
    with Outbox(sql_url, migrate=True) as outbox:
        add(outbox, ("a", 1), ("a", 2))
        first = outbox.relays.take("one", START, 10, 0, hold=True)
        add(outbox, ("a", 3), ("b", 4))
        second = outbox.relays.take("two", START, 10, 0, hold=True)

        assert [number_of(each.event) for each in first.rows] == [1, 2]
        assert [number_of(each.event) for each in second.rows] == [4]
        first.drop()
        second.drop()


@pytest.mark.postgresql
def test_a_message_that_is_committed_late_lets_nobody_overtake_what_another_relay_has_in_hand(
    postgres_url: str,
) -> None:
    with Outbox(postgres_url, migrate=True) as outbox:
        engine = outbox.store.backend.engine
        assert engine is not None
        with engine.connect() as late, late.begin() as transaction:
            outbox.add(late, NewMessage(Numbered(1), key="a"))
            add(outbox, ("a", 2))
            first = outbox.relays.take("one", START, 10, 0, hold=True)
            add(outbox, ("a", 3))
            transaction.commit()
        second = outbox.relays.take("two", START, 10, 0, hold=True)

        assert [number_of(each.event) for each in first.rows] == [2]
        assert [number_of(each.event) for each in second.rows] == [1]  # and not 3, ahead of 2
        first.settle(judge(first.rows, [None], AT_ONCE, 1), 1)
        second.settle(judge(second.rows, [None], AT_ONCE, 1), 1)
        third = outbox.relays.take("one", START, 10, 0, hold=True)
        assert [number_of(each.event) for each in third.rows] == [3]
        third.drop()


def test_a_relay_is_woken_by_what_is_added_and_stops_when_it_is_told(url: str) -> None:
    heard = threading.Semaphore(0)
    broker = Recording()

    def answer(_event: CloudEvent) -> None:
        heard.release()

    broker.answer = answer
    with Application(url, handlers=HANDLERS, publish=PUBLISH, broker=lambda: broker, migrate=True) as app:  # type: ignore[arg-type, return-value]  # nobody subscribes
        broker.kept = []
        number = Numbered(1)
        with app.worker():
            for _ in range(3):
                app.outbox.send(number)
                assert heard.acquire(timeout=30)
        assert len(broker.kept) == 3
        assert app.outbox.status().sent == 3
        app.dispatch(Place("o-1", 5))
        assert app.outbox.status().pending == 1


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_broker_that_does_not_say_what_became_of_each_gets_them_again(
    outbox: Outbox, answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Recording()
    add(outbox, ("a", 1), ("b", 2))

    async def some(_events: Sequence[CloudEvent]) -> list[Exception | None]:
        return [None] * answers

    monkeypatch.setattr(broker, "publish", some)
    with pytest.raises(BrokerUnavailable, match="of each of 2 messages"):
        relay_once(outbox, broker)

    assert f"got {answers} answers" in str(outbox.status().broker_error)
    assert {state for _, state in states(outbox)} == {"pending"}
    monkeypatch.undo()
    assert relay_once(outbox, broker) == 2


@pytest.mark.parametrize("during", ["take", "publish", "settle"])
def test_a_relay_that_is_cancelled_lets_go_of_what_it_has_taken(
    outbox: Outbox, during: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, begun, going_on = Recording(), threading.Event(), threading.Event()
    add(outbox, ("a", 1))
    take = outbox.relays.take

    def slow(work: Callable[..., Any]) -> Callable[..., Any]:
        def slowed(*arguments: Any, **options: Any) -> Any:
            begun.set()
            going_on.wait()
            return work(*arguments, **options)

        return slowed

    def taken(*arguments: Any, **options: Any) -> Taken:
        found = take(*arguments, **options)
        monkeypatch.setattr(found, "settle", slow(found.settle))
        return found

    async def hang(_events: Sequence[CloudEvent]) -> list[Exception | None]:
        begun.set()
        return await asyncio.Future()

    async def main() -> None:
        running = asyncio.create_task(Relay(outbox, broker, AT_ONCE).run_once())  # type: ignore[arg-type]  # nobody subscribes
        await asyncio.to_thread(begun.wait)
        running.cancel()
        await asyncio.sleep(0)  # it is told
        going_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    with monkeypatch.context() as patched:
        if during == "publish":
            patched.setattr(broker, "publish", hang)
        else:
            patched.setattr(outbox.relays, "take", slow(take) if during == "take" else taken)
        asyncio.run(main())

    engine = outbox.store.backend.engine
    assert engine is None or engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a pool that counts
    assert relay_once(outbox, broker) == (0 if during == "settle" else 1)
    assert states(outbox) == [(1, "sent")]


@pytest.mark.parametrize(
    "options",
    [{"on_parked": "drop"}, {"batch": 0}, {"batch": True}, {"keep_sent_seconds": -1}, {"keep_sent_seconds": "x"}],
)
def test_a_policy_that_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(DefinitionError, match=f"RelayPolicy: {next(iter(options))}: expected"):
        RelayPolicy(**options)  # type: ignore[arg-type]  # refused


def read_through(url: str) -> int:
    """How many rows of the outbox were read by looking through the whole of it, so far."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname = 'eventfold_outbox'"
        )
        (count,) = found.fetchone() or (None,)
    return int(count)


def test_what_was_sent_long_ago_is_not_looked_through_for_what_is_to_be_sent(postgres_url: str) -> None:
    with Outbox(postgres_url, migrate=True) as outbox:
        for _ in range(10):
            add(outbox, *[(f"k{n}", n) for n in range(300)])
            assert relay_once(outbox, Recording()) == 300
        add(outbox, *[(f"k{n}", n) for n in range(300)])
    before = read_through(postgres_url)

    with Outbox(postgres_url) as outbox:
        taken = outbox.relays.take("a relay", START, 1000, now_us(), hold=True)
        assert len(taken.rows) == 300
        taken.drop()

    assert read_through(postgres_url) == before


def test_a_relay_takes_behind_what_it_has_in_hand_and_no_other_one_does(sql_url: str) -> None:
    with Outbox(sql_url, migrate=True) as outbox:
        add(outbox, *[("a", n) for n in range(3)], ("b", 3))
        first = outbox.relays.take("one", START, 2, 0, hold=True)
        ahead = outbox.relays.take("one", START, 9, 0, hold=True, ahead=ends_of(first.rows))
        assert [number_of(each.event) for each in first.rows] == [0, 3]
        assert [number_of(each.event) for each in ahead.rows] == [1, 2]

        assert first.settle(judge(first.rows, [None, None], AT_ONCE, 1), 1)
        assert not outbox.relays.take("two", START, 9, 0, hold=True).rows
        assert ahead.settle(judge(ahead.rows, [None, None], AT_ONCE, 1), 1)
        assert {state for _, state in states(outbox)} == {"sent"}


def test_what_was_parked_and_is_let_go_is_not_overtaken_by_what_is_taken_behind_others(outbox: Outbox) -> None:
    broker = Recording(lambda event: MessageRefused("no") if number_of(event) == 1 else None)
    policy = msgspec.structs.replace(AT_ONCE, on_parked="skip")
    add(outbox, ("a", 1))
    relay_once(outbox, broker, policy)
    add(outbox, ("a", 2), ("a", 3))
    first = outbox.relays.take("one", START, 1, 1, hold=False)
    assert [number_of(each.event) for each in first.rows] == [2]
    assert outbox.retry() == 1

    ahead = outbox.relays.take("one", START, 9, 1, hold=False, ahead=ends_of(first.rows))

    assert ahead.rows == []  # neither 3 without 1, nor 2 once more
    first.drop()


def test_a_relay_that_comes_back_after_its_lease_leaves_what_another_one_has_parked(sqlite_url: str) -> None:
    with Outbox(sqlite_url) as outbox:
        add(outbox, ("a", 1), ("a", 2))
        late = outbox.relays.take("late", START, 10, 0, hold=True)
        other = outbox.relays.take("other", START, 10, LEASE_US, hold=True)
        assert other.settle(judge(other.rows, [MessageRefused("too large"), None], AT_ONCE, LEASE_US), LEASE_US)

        assert not late.settle(judge(late.rows, [None, None], AT_ONCE, LEASE_US), LEASE_US)

        assert states(outbox) == [(1, "parked"), (2, "parked")]
        assert outbox.retry() == 2
        assert relay_once(outbox, Recording()) == 2


def test_a_turn_by_a_clock_that_has_been_set_back_since_holds_nobody(sqlite_url: str) -> None:
    hour = 3_600_000_000
    with Outbox(sqlite_url) as outbox:
        add(outbox, ("a", 1))
        assert outbox.relays.take("killed", START, 10, hour, hold=True).rows
        assert not outbox.relays.take("other", START, 10, hour + 1, hold=True).rows
        assert not outbox.relays.take("other", START, 10, hour - 1, hold=True).rows

        assert outbox.relays.take("other", START, 10, 1, hold=True).rows


def test_a_client_that_gives_up_what_it_was_asked_for_ends_no_relay(outbox: Outbox) -> None:
    class GivingUp(Recording):
        async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
            if not self.calls:
                self.calls += 1
                given_up = asyncio.ensure_future(asyncio.Event().wait())
                given_up.cancel()
                await given_up
            return await super().publish(events)

    broker = GivingUp()
    add(outbox, ("a", 1))

    with pytest.raises(BrokerUnavailable, match="gave up asking"):
        relay_once(outbox, broker)
    assert states(outbox) == [(1, "pending")]
    assert relay_once(outbox, broker) == 1
