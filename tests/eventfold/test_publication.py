"""Publications: the log handed to a broker, each event at least once and those of a stream in order."""

import asyncio
import threading
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from commands import BrokerUnavailable, CloudEvent, Message, MessageRefused
from commands.brokers.memory import MemoryBroker, MemoryBus
from eventfold import (
    Application,
    AsyncApplication,
    DefinitionError,
    Event,
    NewMessage,
    PublishFailed,
    ReactionFailed,
    Recorded,
    consumes,
    publication,
)
from eventfold.react import react
from projections import status_of

SEED_PAGES = 2_500  # more than two pages of a publication


class Deposited(Event):
    amount: int


class Closed(Event):
    pass


class Told(Message, channel="bank"):
    amount: int
    position: int


def told(recorded: Recorded[Deposited]) -> NewMessage[Told] | None:
    if recorded.event.amount == 13:
        raise ValueError("thirteen")
    if recorded.event.amount == 0:
        return None
    return NewMessage(Told(recorded.event.amount, recorded.position))


class FlakyBroker(MemoryBroker):
    """Away, or refusing what it is told to refuse."""

    away = False
    refused: tuple[int, ...] = ()
    calls = 0

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        self.calls += 1
        if self.away:
            return [BrokerUnavailable("the broker is away")] * len(events)
        if any(f'"amount":{each},'.encode() in event.data for each in self.refused for event in events):
            return [MessageRefused("too large")] * len(events)
        return await super().publish(events)


def feed(**options: Any) -> Any:
    return publication("feed", {Deposited: told}, **options)


def application(url: str, broker: Any, **options: Any) -> Application:
    options.setdefault("start", "beginning")
    return Application(url, reactions=[feed(**options)], events=[Deposited, Closed], broker=broker, source="/bank")


def said(broker: MemoryBroker) -> dict[str, list[CloudEvent]]:
    """What the broker keeps, by key."""
    found: dict[str, list[CloudEvent]] = {}
    bus: MemoryBus = broker._bus
    for events in bus.kept.values():
        for each in events:
            found.setdefault(each.key, []).append(each)
    return found


def amounts(events: Sequence[CloudEvent]) -> list[str]:
    return [each.data.decode() for each in events]


def test_every_event_is_published_once_in_order_with_its_position(sqlite_url: str) -> None:
    broker = FlakyBroker()
    with application(sqlite_url, broker) as app:
        for number in range(SEED_PAGES // 50):
            app.store.append(f"account-{number % 7}", [Deposited(50 * number + each + 100) for each in range(50)])
        app.react()
        app.store.append("account-0", [Closed(), Deposited(0), Deposited(7)])
        app.react()
        kept = said(broker)
        for number in range(7):
            recorded = list(app.store.read_stream(f"account-{number}"))
            wanted = [each for each in recorded if isinstance(each.event, Deposited) and each.event.amount]
            ids = [str(uuid.uuid5(uuid.UUID(each.event_id), "feed/0")) for each in wanted]
            assert [each.id for each in kept[str(number)]] == ids
            assert amounts(kept[str(number)]) == [
                f'{{"amount":{each.event.amount},"position":{each.position}}}' for each in wanted
            ]
        assert broker.calls <= 6, "events are handed over many at once"
        assert status_of(app.store, app.parts.reaction("feed")[1]).lag == 0


def test_beside_the_outbox_it_says_another_message_of_the_same_event(sqlite_url: str) -> None:
    broker = FlakyBroker()
    with Application(sqlite_url, reactions=[feed(start="beginning")], publish={Deposited: told}, broker=broker) as app:
        app.store.append("account-1", [Deposited(1)])
        app.react()
        assert len({said(broker)["1"][0].id, app.outbox.messages()[0].event.id}) == 2


def test_what_is_wrong_with_a_message_is_said_once(sqlite_url: str) -> None:
    def odd(_recorded: Recorded[Deposited]) -> Told:
        return Told("x", 1)  # type: ignore[arg-type]  # refused

    with Application(
        sqlite_url,
        reactions=[publication("feed", {Deposited: odd}, start="beginning")],
        publish={Closed: odd},
        broker="memory://",
    ) as app:
        with pytest.raises(PublishFailed) as refused:
            app.store.append("account-1", [Closed()])
        app.store.append("account-1", [Deposited(1)])
        with pytest.raises(ReactionFailed) as failed:
            app.react()

    assert str(refused.value).count("nothing was stored") == 1
    assert "nothing was stored" not in str(failed.value)
    assert ".." not in str(failed.value)


def test_what_is_said_again_after_a_crash_has_the_same_ids(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = FlakyBroker()
    with application(sqlite_url, broker) as app:
        app.store.append("account-1", [Deposited(1), Deposited(2)])

        def killed(*_arguments: object, **_options: object) -> bool:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("projections.reactor.Reactor._advance", killed)
            with pytest.raises(KeyboardInterrupt):
                app.react()
        app.react()
    ids = [each.id for each in said(broker)["1"]]
    assert len(ids) == 4
    assert ids[:2] == ids[2:]


def test_it_waits_while_the_broker_is_away_and_nothing_is_parked(sqlite_url: str) -> None:
    broker = FlakyBroker()
    with application(sqlite_url, broker) as app:
        app.store.append("account-1", [Deposited(1), Deposited(2)])
        broker.away = True
        for _ in range(20):
            with pytest.raises(ReactionFailed, match="the broker is away"):
                app.react()
        status = status_of(app.store, app.parts.reaction("feed")[1])
        assert (status.parked, status.position, said(broker)) == (0, 0, {})
        assert "the broker is away" in str(status.error)
        broker.away = False
        app.react()
        assert len(said(broker)["1"]) == 2


@pytest.mark.parametrize("fault", ["map", "broker"])
def test_an_event_at_fault_is_parked_with_its_stream_and_the_others_go_on(sqlite_url: str, fault: str) -> None:
    broker = FlakyBroker()
    broker.refused = (99,)
    wrong = 13 if fault == "map" else 99
    with application(sqlite_url, broker) as app:
        app.store.append("account-1", [Deposited(1), Deposited(wrong), Deposited(3)])
        app.store.append("account-2", [Deposited(4)])
        app.parts.reaction("feed")[0].poison = type(app.parts.reaction("feed")[0].poison)(attempts=2, pause=0.0)
        with pytest.raises(ReactionFailed):
            app.react()
        app.store.append("account-1", [Deposited(5)])
        app.react()
        kept = said(broker)
        assert [each.split(",")[0] for each in amounts(kept["2"])] == ['{"amount":4']
        assert {each.split(",")[0] for each in amounts(kept["1"])} == {'{"amount":1'}
        assert [(each.key, each.events) for each in app.parked("feed")] == [("1", 3)]


def test_a_worker_publishes_too(sqlite_url: str) -> None:
    name = uuid.uuid4().hex

    async def next_one() -> list[str]:
        broker = MemoryBroker(name, partitions=1)
        subscription = await broker.subscribe("bank", 0, "test", None)
        return [each.event.key for each in await subscription.receive(1, 20.0) if each.event is not None]

    with application(sqlite_url, f"memory://{name}?partitions=1", start="now") as app, app.worker():
        app.store.append("account-1", [Deposited(1)])
        assert asyncio.run(next_one()) == ["1"]


def test_without_a_broker_it_is_refused(sqlite_url: str) -> None:
    with pytest.raises(DefinitionError, match="publication 'feed': expected a broker to publish to"):
        application(sqlite_url, None)


def test_a_publication_of_nothing_is_refused() -> None:
    with pytest.raises(DefinitionError, match="expected a dict from event classes to functions"):
        publication("feed", {})


def test_a_map_that_raises_names_the_event() -> None:
    from commands.outbox.publish import told_of

    recorded = Recorded(Deposited(13), 4, "account-1", 1, 0, "Deposited", 1, str(uuid.uuid4()))
    wanted = r"told failed on the event Deposited for stream 'account-1': .*thirteen.*stored at position 4"
    with pytest.raises(PublishFailed, match=wanted):
        told_of(told, recorded, "/bank")


def test_whoever_is_told_to_end_does_so_before_the_next_batch() -> None:
    app = application(f"memory://{uuid.uuid4()}", FlakyBroker(f"b-{uuid.uuid4()}"))
    app.store.append("account-a", [Deposited(1)] * SEED_PAGES)
    going = iter([True, False])

    moved = react(app.parts, ["feed"], lambda: next(going))

    assert 0 < moved < SEED_PAGES
    assert react(app.parts, ["feed"]) == SEED_PAGES - moved
    app.close()


class Connection(MemoryBroker):
    """One that is of the event loop in which it is used first."""

    def __init__(self) -> None:
        super().__init__("connections", partitions=1)
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.closed = False

    async def partitions(self, channel: str) -> int:
        self.loops.add(asyncio.get_running_loop())
        return await super().partitions(channel)

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        self.loops.add(asyncio.get_running_loop())
        return await super().publish(events)

    async def close(self) -> None:
        self.loops.add(asyncio.get_running_loop())
        self.closed = True


def test_a_function_makes_a_connection_for_each_event_loop_which_closes_it(sqlite_url: str) -> None:
    made: list[Connection] = []
    heard = threading.Semaphore(0)

    def connect() -> Connection:
        made.append(Connection())
        return made[-1]

    @consumes
    def hear(_message: Told) -> None:
        heard.release()

    with Application(
        sqlite_url, reactions=[feed(start="beginning")], publish={Deposited: told}, consumers=[hear], broker=connect
    ) as app:
        app.store.append("account-1", [Deposited(1)])
        with app.worker():
            assert heard.acquire(timeout=30)
            assert heard.acquire(timeout=30)

    assert [(len(each.loops), each.closed) for each in made] == [(1, True)] * 3
    assert len({loop for each in made for loop in each.loops}) == 3


@pytest.mark.parametrize("kind", [Application, AsyncApplication])
def test_a_connection_itself_is_refused(kind: type[Application | AsyncApplication]) -> None:
    class Lone:
        async def publish(self) -> None:
            """As a broker does it."""

    with pytest.raises(DefinitionError, match=r"got a Lone, which is of one event loop.*broker=lambda: Lone\(\.\.\.\)"):
        kind("memory://", broker=Lone())  # type: ignore[arg-type]  # refused
