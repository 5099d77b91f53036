"""The other library: `eventsourcing` 9.5, with its own record managers, used as its documentation shows."""

import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from eventsourcing.application import Application
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.domain import Aggregate, datetime_now_with_tzinfo, event
from eventsourcing.persistence import InfrastructureFactory, Tracking
from eventsourcing.utils import Environment

from benchmarks.place import Place
from benchmarks.raw import encode
from eventfold import Event

PAGE = 1000


class PeerAccount(Aggregate):
    """The same account as its library would have it."""

    def __init__(self) -> None:
        self.balance = 0
        self.movements = 0

    @event("Deposited")
    def deposit(self, amount: int, reference: str) -> None:
        self.balance += amount
        self.movements += 1
        self.reference = reference


class Bank(Application[uuid.UUID]):
    """An application without snapshots."""


@contextmanager
def peer_bank(place: Place) -> Iterator["Peer"]:
    """The library in a database of its own."""
    with closing(Peer(place)) as peer:
        yield peer


class Peer:
    """What the benchmarks ask of the library."""

    def __init__(self, place: Place) -> None:
        self.settings = place.peer_settings()
        self.bank = Bank(env={**os.environ, **self.settings})
        self.kind = place.kind

    def append(self, stream: uuid.UUID, version: int, count: int) -> None:
        """Maps and stores events in one transaction; its versions begin with the aggregate's creation."""
        self.bank.events.put(movements(stream, version, count))

    def seed(self, count: int) -> uuid.UUID:
        """A log of so many events over a hundredth as many accounts; returns the account that has a thousand."""
        large = uuid.uuid4()
        self.bank.events.put([created(large), *movements(large, 1, min(count, PAGE) - 1)])
        for _ in range(count // PAGE):
            streams = [uuid.uuid4() for _ in range(10)]
            self.bank.events.put([each for stream in streams for each in movements(stream, 1, PAGE // 10)])
        return large

    def load(self, stream: uuid.UUID) -> Any:
        """An aggregate as it is now."""
        return self.bank.repository.get(stream)

    def read(self, after: int = 0) -> Iterator[tuple[int, Any]]:
        """Its log as notification ids and events."""
        while page := self.bank.recorder.select_notifications(after, PAGE, inclusive_of_start=False):
            for notification in page:
                yield notification.id, self.bank.mapper.to_domain_event(notification)
            after = page[-1].id

    def close(self) -> None:
        """Lets go of the database."""
        self.bank.close()


def movements(stream: uuid.UUID, version: int, count: int) -> list[Any]:
    """Events of an account after a version."""
    now = datetime_now_with_tzinfo()
    deposited: Any = vars(PeerAccount)["Deposited"]  # made by the decorator
    return [
        deposited(
            originator_id=stream,
            originator_version=version + i,
            timestamp=now,
            amount=100,
            reference=f"movement {version + i} of the day",
        )
        for i in range(1, count + 1)
    ]


def created(stream: uuid.UUID) -> Any:
    """An account's first event."""
    account = PeerAccount()
    (first,) = account.collect_events()
    return type(first)(**{**first.__dict__, "originator_id": stream})


class PeerBalances:
    """A materialised view: row and tracking in one transaction for each event, as its documentation has it."""

    def __init__(self, peer: Peer) -> None:
        environment = Environment("balances", {**os.environ, **peer.settings})
        factory: Any = InfrastructureFactory.construct(environment)
        base = factory.tracking_recorder_class
        self._mark = "?" if peer.kind == "sqlite" else "%s"
        self.view: Any = factory.tracking_recorder(base)
        self._peer = peer
        with self.view.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS peer_balances (account_id TEXT PRIMARY KEY, amount BIGINT, movements BIGINT)"
            )

    def follow(self, after: int, limit: int) -> int:
        """Processes events one by one; how many."""
        done = 0
        for number, found in self._peer.read(after):
            if done == limit:
                break
            self.process(number, found)
            done += 1
        return done

    def process(self, number: int, found: Any) -> None:
        """One event."""
        upsert = (
            f"INSERT INTO peer_balances VALUES ({self._mark}, {self._mark}, 1) ON CONFLICT (account_id) DO UPDATE "
            "SET amount = peer_balances.amount + excluded.amount, movements = peer_balances.movements + 1"
        )
        with self.view.datastore.transaction(commit=True) as cursor:
            self.view._insert_tracking(cursor, Tracking(Bank.name, number))  # noqa: SLF001 - as its documentation has it
            cursor.execute(upsert, (str(found.originator_id), getattr(found, "amount", 0)))

    def clear(self) -> None:
        """Forgets what was processed."""
        with self.view.datastore.transaction(commit=True) as cursor:
            cursor.execute("DELETE FROM peer_balances")
            table = getattr(self.view, "tracking_table_name", "tracking")
            cursor.execute(f"DELETE FROM {table} WHERE application_name = {self._mark}", (Bank.name,))

    def close(self) -> None:
        """Lets go of the database."""
        self.view.datastore.close()


class PeerFollower:
    """A thread that processes new events as soon as it is told of one."""

    def __init__(self, peer: Peer) -> None:
        self.balances = PeerBalances(peer)
        self._news = threading.Event()
        self._stopping = False
        self._after = 0
        self._peer = peer
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def tell(self) -> None:
        """There is something new."""
        self._news.set()

    def close(self) -> None:
        """Ends the thread."""
        self._stopping = True
        self._news.set()
        self._thread.join()
        self.balances.close()

    def _run(self) -> None:
        while self._news.wait() and not self._stopping:
            self._news.clear()
            for number, found in self._peer.read(self._after):
                self.balances.process(number, found)
                self._after = number


class PeerConditions:
    """Its record manager for append conditions, which it has for PostgreSQL only."""

    def __init__(self, given: dict[str, str]) -> None:
        from eventsourcing.dcb.postgres_tt import PostgresTTDCBFactory

        settings = {**os.environ, **given, "POSTGRES_POOL_SIZE": "8"}
        self._factory = PostgresTTDCBFactory(Environment("dcb", settings))
        self._recorder = self._factory.dcb_recorder()

    def seed(self, events: Iterable[tuple[Event, list[str]]]) -> None:
        """Fills its log."""
        chunk = []
        for given, tags in events:
            chunk.append(_dcb_event(given, tags))
            if len(chunk) == PAGE:
                self._recorder.append(chunk)
                chunk = []
        if chunk:
            self._recorder.append(chunk)

    def append(self, given: Event, tags: list[str], guards: list[list[str]], after: int) -> int:
        """Stores an event unless one with all tags of one of the guards stands after a position."""
        items = [DCBQueryItem(types=[type(given).__name__], tags=guard) for guard in guards]
        return self._recorder.append([_dcb_event(given, tags)], DCBAppendCondition(DCBQuery(items), after))

    def close(self) -> None:
        """Lets go of the database."""
        self._factory.close()


def _dcb_event(given: Event, tags: list[str]) -> DCBEvent:
    return DCBEvent(type=type(given).__name__, data=encode(given), tags=tags)
