"""Change data capture on a real PostgreSQL: what is committed is handed over in the order of the commits, through every crash."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from commands import BrokerUnavailable, CloudEvent, Message, MessageRefused, NewMessage, Outbox
from commands.brokers.memory import MemoryBroker
from commands.outbox.pgoutput import Transaction
from commands.outbox.policy import RelayPolicy
from commands.outbox.relay import Relay
from commands.outbox.replication import Replication
from commands.outbox.slot import MAX_NAME, Slot, slot_name
from commands.outbox.stream import OutboxStream
from commands.outbox.waiting import WaitingRows
from commands.retry import RetryPolicy
from eventfold import Application
from eventfold.relay_follower import RelayFollower
from eventstore import DefinitionError, Event, Recorded, Unsupported
from tests.services.postgresql import PostgresServer

SEED = 20261126
TURNS = int(os.environ.get("EVENTFOLD_STREAM_KILLS", "3"))


class Said(Message, channel="talk"):
    number: int
    text: str = "é"


class Spoken(Event):
    number: int


def told(recorded: Recorded[Spoken]) -> NewMessage[Said]:
    return NewMessage(Said(recorded.event.number))


class Listener(MemoryBroker):
    """Keeps in order what it is told; away, or refusing a number, when it is told to."""

    def __init__(self) -> None:
        super().__init__(partitions=1)
        self.heard: list[tuple[str, bytes]] = []
        self.away = False
        self.refused: set[bytes] = set()

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        found: list[Exception | None] = []
        stopped: set[str] = set()
        for each in events:
            if self.away:
                found.append(BrokerUnavailable("away"))
            elif each.key in stopped or any(text in each.data for text in self.refused):
                stopped.add(each.key)
                found.append(MessageRefused("too large"))
            else:
                self.heard.append((each.key, each.data))
                found.append(None)
        return found


@pytest.fixture(scope="module")
def logical_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that says what is committed."""
    with PostgresServer({"wal_level": "logical", "max_replication_slots": "20", "max_wal_senders": "20"}) as server:
        yield server


@pytest.fixture(params=["kept", "passing"])
def outbox(request: pytest.FixtureRequest, logical_postgres: PostgresServer) -> Iterator[Outbox]:
    url = logical_postgres.create_database()
    with Outbox(url, source="/talk", migrate=True, passing=request.param == "passing") as found:
        yield found
        database = found.store.backend.sql
        assert database is not None
        Slot(database).drop()
    logical_postgres.drop_database(url)


def say(outbox: Outbox, *numbers: int, key: str = "k") -> None:
    outbox.add(None, *[NewMessage(Said(number), key=key) for number in numbers])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a database
            await asyncio.sleep(0.01)


def streaming(
    outbox: Outbox, broker: Listener, story: Callable[[OutboxStream], Awaitable[None]], **options: Any
) -> OutboxStream:
    """Runs a stream beside a story, and ends it after."""

    async def both() -> OutboxStream:
        stream = OutboxStream(outbox, broker, **options)
        task = asyncio.create_task(stream.run())
        try:
            await story(stream)
        finally:
            stream.stop()
            await task
        return stream

    return asyncio.run(both())


def numbers(broker: Listener, key: str = "k") -> list[int]:
    """What was said under a key, as an inbox takes it: what is said again does not count."""
    said = [int(data.split(b":")[1].split(b",")[0]) for heard, data in broker.heard if heard == key]
    return list(dict.fromkeys(said))


def test_messages_are_handed_over_in_the_order_of_their_commits(outbox: Outbox) -> None:
    broker = Listener()
    say(outbox, 0) if not outbox.passing else None

    async def story(_stream: OutboxStream) -> None:
        await until(lambda: outbox.passing or numbers(broker) == [0])
        await asyncio.to_thread(say, outbox, 1, 2)
        await asyncio.to_thread(say, outbox, 3)
        await until(lambda: numbers(broker)[-1:] == [3])
        await until(lambda: outbox.passing or outbox.status().sent == 4)  # to mark them takes it a moment more

    streaming(outbox, broker, story)
    assert numbers(broker) == ([1, 2, 3] if outbox.passing else [0, 1, 2, 3])
    kept = outbox.status()
    assert (kept.pending, kept.sent) == ((0, 0) if outbox.passing else (0, 4))


def test_what_is_rolled_back_is_never_said(outbox: Outbox) -> None:
    broker = Listener()
    engine = outbox.store.backend.engine
    assert engine is not None

    async def story(_stream: OutboxStream) -> None:
        await asyncio.to_thread(rolled_back)
        await asyncio.to_thread(say, outbox, 2)
        await until(lambda: numbers(broker) == [2])

    def rolled_back() -> None:
        with engine.connect() as connection, connection.begin() as transaction:
            outbox.add(connection, NewMessage(Said(1), key="k"))
            transaction.rollback()

    streaming(outbox, broker, story)
    assert numbers(broker) == [2]


def test_what_was_not_confirmed_is_said_by_the_next_stream(outbox: Outbox) -> None:
    broker = Listener()

    async def nobody_listens(_stream: OutboxStream) -> None:
        await until(lambda: (found := _stream.slot.status()) is not None and found.active)
        broker.away = True
        await asyncio.to_thread(say, outbox, 1, 2)
        await until(lambda: _stream.error == "away")

    streaming(outbox, broker, nobody_listens)
    assert numbers(broker) == []
    broker.away = False
    say(outbox, 3)

    async def somebody_listens(_stream: OutboxStream) -> None:
        await until(lambda: numbers(broker)[-1:] == [3])

    stream = streaming(outbox, broker, somebody_listens)
    assert numbers(broker) == [1, 2, 3]
    assert stream.error is None


def test_a_refused_message_waits_in_the_table_with_what_follows_and_others_go_on(outbox: Outbox) -> None:
    broker = Listener()
    broker.refused = {b'"number":2,'}

    async def story(_stream: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 1, 2, 3)
        await asyncio.to_thread(say, outbox, 10, key="other")
        await until(lambda: numbers(broker, "other") == [10])
        await asyncio.to_thread(say, outbox, 4)
        await asyncio.to_thread(say, outbox, 11, key="other")
        await until(lambda: numbers(broker, "other") == [10, 11])
        assert numbers(broker) == [1]
        await until(lambda: outbox.status().parked == 3)
        broker.refused = set()
        first = outbox.messages(state="parked")[0]
        assert first.error == "too large"
        await asyncio.to_thread(outbox.retry, first.event.id)
        await until(lambda: numbers(broker) == [1, 2, 3, 4])
        await asyncio.to_thread(say, outbox, 5)
        await until(lambda: numbers(broker) == [1, 2, 3, 4, 5])

    streaming(outbox, broker, story)


def test_where_nothing_is_held_what_follows_a_parked_message_goes_on(outbox: Outbox) -> None:
    broker = Listener()
    broker.refused = {b'"number":2,'}

    async def story(_stream: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 1, 2, 3)
        await until(lambda: numbers(broker) == [1, 3])
        await asyncio.to_thread(say, outbox, 4)
        await until(lambda: numbers(broker) == [1, 3, 4])
        assert outbox.status().parked == 1

    streaming(outbox, broker, story, policy=RelayPolicy(on_parked="skip"))


def test_the_slot_lets_go_of_the_log_while_others_write(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.outbox.replication.STATUS_SECONDS", 0.2)
    broker = Listener()
    engine = outbox.store.backend.engine
    assert engine is not None

    async def story(stream: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 1)
        await until(lambda: numbers(broker) == [1])
        await asyncio.to_thread(noise)
        await until(lambda: (found := stream.slot.status()) is not None and found.behind_bytes < 1_000_000)

    def noise() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE noise AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")

    streaming(outbox, broker, story)


def test_a_slot_that_holds_back_much_is_warned_of(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    async def story(_stream: OutboxStream) -> None:
        await until(lambda: "holds back" in caplog.text)

    streaming(outbox, Listener(), story, warn_bytes=0)
    assert "the server's disk fills" in caplog.text


def test_a_second_stream_waits_for_its_turn(outbox: Outbox) -> None:
    broker, other = Listener(), Listener()

    async def story(first: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 0)
        await until(lambda: numbers(broker) == [0])
        second = OutboxStream(outbox, other)
        task = asyncio.create_task(second.run())
        await until(lambda: second.error is not None)
        await asyncio.to_thread(say, outbox, 1)
        await until(lambda: numbers(broker) == [0, 1])
        assert numbers(other) == []
        first.stop()
        await asyncio.to_thread(say, outbox, 2)
        await until(lambda: 2 in numbers(other))
        second.stop()
        await task

    streaming(outbox, broker, story)


def test_streams_that_start_at_once_make_one_slot(outbox: Outbox) -> None:
    broker = Listener()

    async def main() -> None:
        streams = [OutboxStream(outbox, broker) for _ in range(4)]
        running = [asyncio.create_task(each.run()) for each in streams]
        await asyncio.to_thread(say, outbox, 0)
        await until(lambda: numbers(broker) != [])
        for each in streams:
            each.stop()
        await asyncio.gather(*running)

    asyncio.run(main())


def test_a_slot_that_is_gone_is_made_anew_and_what_the_table_has_is_sent(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Listener()

    async def story(stream: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 7)
        await until(lambda: numbers(broker) == [7])
        await asyncio.to_thread(drop_by_force, outbox, stream.slot)
        kept = [] if outbox.passing else [0]  # what passes while there is no slot is lost
        await asyncio.to_thread(say, outbox, *kept)
        await until(lambda: stream.slot.status() is not None)
        await asyncio.to_thread(say, outbox, 1)
        await until(lambda: numbers(broker) == [7, *kept, 1])

    streaming(outbox, broker, story)
    assert "was gone" in caplog.text


def test_a_slot_that_is_gone_when_an_outbox_is_opened_is_warned_of(
    logical_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = logical_postgres.create_database()
    with Outbox(url, migrate=True, passing=True) as outbox:
        say(outbox, 1)
        database = outbox.store.backend.sql
        assert database is not None
        assert not caplog.text

        drop_by_force(outbox, Slot(database))
        with Outbox(url, passing=True):
            assert "what was not sent and is not in the table is lost" in caplog.text

        Slot(database).drop()
    logical_postgres.drop_database(url)


def drop_by_force(outbox: Outbox, slot: Slot) -> None:
    database = outbox.store.backend.sql
    assert database is not None
    with psycopg.connect(
        database.engine.url.set(drivername="postgresql").render_as_string(), autocommit=True
    ) as connection:
        while slot.status() is not None:
            connection.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s", [slot.name]
            )
            with suppress(psycopg.errors.ObjectInUse):
                connection.execute("SELECT pg_drop_replication_slot(%s)", [slot.name])


def test_what_waits_is_handed_over_by_one_at_a_time_when_the_replication_breaks_meanwhile(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    broken, ends = asyncio.Event(), asyncio.Event()

    async def run_once(_relay: Relay) -> int:
        calls.append("begin")
        if len(calls) == 3:  # that of a look
            broken.set()
            await ends.wait()
        calls.append("end")
        return 0

    async def receive(_replication: Replication, _rows: int) -> list[Transaction]:
        await broken.wait()
        broken.clear()
        raise OSError("broken")

    enter = Replication.__aenter__

    async def begin(replication: Replication) -> Replication:
        begun = await enter(replication)
        if len(calls) == 3:  # the look is still at work
            ends.set()
        return begun

    monkeypatch.setattr(Replication, "__aenter__", begin)
    monkeypatch.setattr(Relay, "run_once", run_once)
    monkeypatch.setattr(Replication, "receive", receive)
    monkeypatch.setattr(WaitingRows, "any_due", lambda _rows: True)
    monkeypatch.setattr("commands.outbox.stream.LOOK_SECONDS", 0.01)

    async def story(_stream: OutboxStream) -> None:
        await until(lambda: len(calls) >= 6)

    streaming(outbox, Listener(), story)
    assert calls[:6] == ["begin", "end"] * 3


def test_messages_are_said_through_kills_of_the_stream_and_of_the_server(
    logical_postgres: PostgresServer, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    url = logical_postgres.create_database()
    heard = tmp_path / "heard"
    heard.touch()
    told = 0
    with Outbox(url, source="/talk", migrate=True, passing=True) as outbox:
        database = outbox.store.backend.sql
        assert database is not None
        slot = Slot(database)
        for turn in range(TURNS):
            victim = subprocess.Popen([sys.executable, "-m", "tests.commands.outbox.stream_victim", url, str(heard)])
            for _ in range(rng.randrange(40, 120)):
                told += 1
                say(outbox, told, key=str(told % 3))
            seen = rng.randrange(told // 2, told)
            for _ in range(3_000):
                if len(heard.read_bytes().splitlines()) >= seen:
                    break
                threading.Event().wait(0.01)
            if turn == TURNS - 1:
                logical_postgres.kill()
                logical_postgres.start()
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        broker = Listener()

        async def story(_stream: OutboxStream) -> None:
            nonlocal told
            told += 1
            await asyncio.to_thread(say, outbox, told, key="end")
            await until(lambda: numbers(broker, "end") != [])

        streaming(outbox, broker, story)
        slot.drop()
    lines = [line.split() for line in heard.read_text().splitlines()]
    for key in ("0", "1", "2"):
        said = [int(number) for one, number in lines if one == key] + numbers(broker, key)
        assert list(dict.fromkeys(said)) == [each for each in range(1, told) if str(each % 3) == key]
    logical_postgres.drop_database(url)


def test_a_server_that_does_not_say_what_is_committed_is_named(postgres_url: str) -> None:
    with Outbox(postgres_url, migrate=True) as outbox:
        with psycopg.connect(postgres_url) as connection:
            row = connection.execute("SHOW wal_level").fetchone()
        assert row is not None
        if row[0] == "logical":  # a server that was given may be set up so
            return
        with pytest.raises(Unsupported, match="expected the setting wal_level = logical, got replica"):
            asyncio.run(OutboxStream(outbox, Listener()).run())


def test_a_worker_whose_stream_has_failed_can_be_stopped(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fail(_failures: int) -> float:
        failed.set()  # the loop of the stream is closed by now
        return 600.0

    def make(_slot: Slot) -> None:
        raise Unsupported("away")

    monkeypatch.setattr("commands.until_stopped.backoff", fail)
    monkeypatch.setattr(Slot, "make", make)
    with Outbox(postgres_url, migrate=True) as outbox:
        follower = RelayFollower(lambda: outbox, Listener(), RelayPolicy(streamed=True))
        follower.start()
        assert failed.wait(30)

        follower.stop()

    assert not follower._thread.is_alive()


def test_on_sqlite_it_says_that_a_relay_is_wanted(sqlite_url: str) -> None:
    with Outbox(sqlite_url) as outbox, pytest.raises(Unsupported, match="use a relay"):
        OutboxStream(outbox, Listener())
    with pytest.raises(DefinitionError, match="expected a database in PostgreSQL"):
        Outbox(sqlite_url, passing=True)


def test_a_message_that_fails_for_now_is_tried_again(outbox: Outbox) -> None:
    broker = Listener()
    broker.refused = {b'"number":1,'}
    policy = RelayPolicy(retry=RetryPolicy(attempts=3, base_seconds=0.01, max_seconds=0.02))

    async def story(_stream: OutboxStream) -> None:
        await asyncio.to_thread(say, outbox, 1)
        await until(lambda: outbox.status().parked == 1)

    streaming(outbox, broker, story, policy=policy)


def test_an_application_streams_in_its_worker(logical_postgres: PostgresServer) -> None:
    url, broker = logical_postgres.create_database(), Listener()
    options: dict[str, Any] = {
        "broker": broker,
        "relay": RelayPolicy(streamed=True),
        "source": "/talk",
        "migrate": True,
    }
    with Application(url, publish={Spoken: told}, **options) as app, app.worker():
        app.store.append("talk-k", [Spoken(1), Spoken(2)])
        asyncio.run(until(lambda: numbers(broker) == [1, 2]))
    with Outbox(url) as outbox:
        found = outbox.store.backend.sql
        assert found is not None
        assert outbox.messages() == []
        Slot(found).drop()
    logical_postgres.drop_database(url)


class Faulty(Listener):
    """Has a fault of its own."""

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        raise ValueError(f"cannot count to {len(events)}")


def test_a_stream_that_a_fault_ends_says_so(outbox: Outbox) -> None:
    say(outbox, 1)

    async def story() -> None:
        async with asyncio.timeout(30):
            await OutboxStream(outbox, Faulty()).run()

    with pytest.raises(ValueError, match="cannot count to 1"):
        asyncio.run(story())


def test_a_stream_that_is_stopped_before_it_runs_ends_at_once(outbox: Outbox) -> None:
    stream = OutboxStream(outbox, Listener())
    stream.stop()

    asyncio.run(asyncio.wait_for(stream.run(), 30))

    assert stream.sent == 0


def test_slots_of_different_outboxes_have_different_names() -> None:
    alike = ["eventfold_outbox__shop", "eventfold_outbox__Shop", *[f"{'x' * MAX_NAME}{each}" for each in "ab"]]

    names = [slot_name(each) for each in alike]

    assert names[0] == alike[0]
    assert len(set(names)) == len(alike)
    assert all(len(each) <= MAX_NAME for each in names)
