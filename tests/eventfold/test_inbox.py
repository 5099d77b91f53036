"""Messages of other services in an application: what a consumer does is stored with the fact that it was done, or not at all."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from commands.brokers.memory import MemoryBroker
from commands.cloud_event import CloudEvent
from eventfold import (
    Application,
    AsyncApplication,
    Consuming,
    InvalidInput,
    Message,
    Received,
    Rejected,
    RetryPolicy,
    Unsupported,
    consumes,
)
from tests.commands.bank import BETWEEN, HANDLERS, Account, Deposit, Deposited, Withdraw

ONCE = RetryPolicy(attempts=1)


class Paid(Message, channel="payments"):
    account: str
    amount: int


class Booked(Message, channel="bookings"):
    amount: int


def paid(number: int, account: str, amount: int) -> CloudEvent:
    data = msgspec.json.encode(Paid(account, amount))
    return CloudEvent(f"p-{number}", "/till", "Paid", data, "payments", account, 0, headers={"correlationid": "c-1"})


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker(partitions=2)


Open = Callable[..., Application]


@pytest.fixture
def open_app(url: str, broker: MemoryBroker) -> Iterator[Open]:
    opened: list[Application] = []

    def open_one(*consumers: Any, **options: Any) -> Application:
        opened.append(
            Application(
                url, handlers=HANDLERS, consumers=consumers, broker=broker, source="/bank", migrate=True, **options
            )
        )
        return opened[-1]

    yield open_one
    BETWEEN.clear()
    for each in opened:
        each.close()


def consume(app: Application, broker: MemoryBroker, *events: CloudEvent) -> None:
    """Has them published, and consumed until each partition is read to its end."""
    asyncio.run(broker.publish(events))
    ends = {number: len(broker._bus.kept["payments", number]) for number in range(2)}
    with app.inbox.worker():
        while {each.partition: int(each.position or 0) for each in app.inbox.status()} != ends:
            time.sleep(0.005)


def said(app: Application) -> list[tuple[str, str, str | None]]:
    """What lies in the outbox: type, key and cause."""
    database = app.store.backend.sql
    if database is None:
        found = app.outbox.messages()
        return [(each.event.type, each.event.key, each.event.headers.get("causationid")) for each in found]
    with database.reading() as connection:
        rows = connection.execute(text("SELECT type, aggregateid, headers FROM eventfold_outbox ORDER BY seq")).all()
    return [(kind, key, msgspec.json.decode(headers).get("causationid")) for kind, key, headers in rows]


def test_a_consumer_dispatches_appends_and_publishes(open_app: Open, broker: MemoryBroker) -> None:
    @consumes
    def book(message: Paid, received: Received) -> None:
        received.dispatch(Deposit(message.account, message.amount))
        received.append("ledger-1", [Deposited(message.amount)])
        received.publish(Booked(message.amount))

    app = open_app(book)
    consume(app, broker, paid(1, "a-1", 5), paid(2, "a-1", 7), paid(1, "a-1", 5))

    assert app.load(Account, "a-1").balance == 12
    recorded = list(app.store.read_stream("account-a-1"))
    assert [(each.causation_id, each.correlation_id) for each in recorded] == [("p-1", "c-1"), ("p-2", "c-1")]
    assert app.store.stream_version("ledger-1") == 2
    assert [kind for kind, *_ in said(app)] == ["Booked", "Booked"]
    assert [cause for *_, cause in said(app)] == ["p-1", "p-2"]


def test_where_a_consumer_fails_nothing_of_it_is_stored(open_app: Open, broker: MemoryBroker) -> None:
    @consumes(retry=ONCE)
    def book(message: Paid, received: Received) -> None:
        received.dispatch(Deposit(message.account, 1))
        received.publish(Booked(message.amount))
        received.dispatch(Withdraw(message.account, message.amount))

    app = open_app(book)
    consume(app, broker, paid(1, "a-1", 1), paid(2, "a-2", 5), paid(3, "a-3", 1))

    assert {each.stream for each in app.store.read_log()} == {"account-a-1", "account-a-3"}
    assert len(said(app)) == 2
    (kept,) = app.inbox.messages()
    assert (kept.key, kept.state) == ("a-2", "parked")
    assert str(kept.error).startswith("Rejected: cannot withdraw 5")


def test_where_somebody_else_moves_a_stream_meanwhile_the_message_is_handled_anew(
    open_app: Open, broker: MemoryBroker
) -> None:
    calls = []

    @consumes(retry=ONCE)
    def book(message: Paid, received: Received) -> None:
        calls.append(message)
        received.dispatch(Deposit(message.account, message.amount))

    app = open_app(book)
    other = [threading.Thread(target=app.dispatch, args=(Deposit("a-1", 1),))]

    def meanwhile() -> None:
        other[0].start()
        if app.store.backend.description == "memory":
            other[0].join()

    BETWEEN.append(meanwhile)
    consume(app, broker, paid(1, "a-1", 5))
    other[0].join()

    assert app.load(Account, "a-1").balance == 6
    assert app.inbox.messages() == []


def test_middleware_goes_around_every_consumer_in_its_order(open_app: Open, broker: MemoryBroker) -> None:
    seen: list[Any] = []

    def outer(received: Received, call_next: Callable[[Received], None]) -> None:
        seen.append("outer")
        call_next(received)
        seen.append("done")

    def inner(received: Received, call_next: Callable[[Received], None]) -> None:
        seen.append("inner")
        call_next(received)

    @consumes
    def book(message: Paid) -> None:
        seen.append(message.amount)

    app = open_app(book, consuming=Consuming(middleware=[outer, inner]))
    consume(app, broker, paid(1, "a-1", 5))

    assert seen == ["outer", "inner", 5, "done"]
    assert app.inbox.pipeline == ("outer", "inner")


def test_a_worker_consumes_beside_its_other_work(open_app: Open, broker: MemoryBroker) -> None:
    @consumes
    def book(message: Paid, received: Received) -> None:
        received.dispatch(Deposit(message.account, message.amount))

    app = open_app(book)
    with app.worker():
        asyncio.run(broker.publish([paid(1, "a-1", 5)]))
        while app.store.head() == 0:
            time.sleep(0.005)

    assert app.load(Account, "a-1").balance == 5


def test_an_application_for_asyncio_consumes_too(sqlite_url: str) -> None:
    @consumes(retry=ONCE)
    def book(message: Paid, received: Received) -> None:
        if message.amount < 0:
            raise Rejected("expected to be paid")
        received.dispatch(Deposit(message.account, message.amount))

    broker = MemoryBroker(partitions=1)

    async def main() -> Any:
        async with AsyncApplication(sqlite_url, handlers=HANDLERS, consumers=[book], broker=broker) as app:
            await broker.publish([paid(1, "a-1", 5), paid(2, "a-2", -1), paid(3, "a-2", 1)])
            async with await app.inbox.worker():
                while not any(each.aside == 2 for each in await app.inbox.status()):  # noqa: ASYNC110 - others change it
                    await asyncio.sleep(0.005)
            (kept,) = await app.inbox.messages()
            assert (await app.inbox.message(kept.number)).followers == len(await app.inbox.followers(kept.number)) == 1
            assert [each.left for each in await app.inbox.retry()] == [2]
            assert await app.inbox.discard(kept.number) == 1
            assert [each.handled for each in await app.inbox.retry()] == [1]
            assert await app.inbox.prune() == 0
            return (await app.load(Account, "a-1")).balance, (await app.load(Account, "a-2")).balance

    assert asyncio.run(main()) == (5, 1)


def test_there_is_no_connection_in_memory_and_no_key_of_ones_own(broker: MemoryBroker) -> None:
    found: list[BaseException] = []

    @consumes(retry=ONCE)
    def book(message: Paid, received: Received) -> None:
        with pytest.raises(Unsupported, match="the inbox is in memory") as first:
            _ = received.connection
        with pytest.raises(InvalidInput, match="expected none within a unit of work") as second:
            received.dispatch(Deposit("a-1", 1), idempotency_key="k")
        found.extend([first.value, second.value])

    with Application("memory://", handlers=HANDLERS, consumers=[book], broker=broker) as app:
        consume(app, broker, paid(1, "a-1", 5))

    assert len(found) == 2


def test_a_worker_says_at_once_that_its_broker_is_none(sqlite_url: str) -> None:
    with (
        Application(sqlite_url, broker="pigeons://loft") as app,
        pytest.raises(InvalidInput, match="expected a URL that begins with memory://"),
    ):
        app.worker().start()
