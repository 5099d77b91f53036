"""Two services, two processes, two databases and a broker, all of which are killed at seeded moments: the books balance at the end.

The services are those of `examples/orders`. Every order must be shipped exactly once, the orders of a customer in their order, and
the order service must know of every parcel.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventfold import Application, StoreError
from examples.orders.books import expected_books, order_books, shipping_books
from examples.orders.demo import batches
from examples.orders.order import OrderRow, PlaceOrder
from examples.orders.orders import read_orders
from examples.orders.serve import BROKER_VARIABLE
from examples.orders.services import SERVICES
from tests.services.kafka import KafkaServer
from tests.services.nats import NatsServer
from tests.services.postgresql import PostgresServer
from tests.services.rabbitmq import RabbitmqServer
from tests.services.redis import RedisServer
from tests.services.server import PrivateServer

SEED = 20261126
ORDERS = int(os.environ.get("EVENTFOLD_SERVICES_ORDERS", "80"))
KILLS = int(os.environ.get("EVENTFOLD_SERVICES_KILLS", "3"))
MANY_ORDERS, MANY_KILLS = 20_000, 60
PATIENCE_SECONDS = 120.0
BROKERS: dict[str, type[PrivateServer]] = {
    "nats": NatsServer,
    "redis": RedisServer,
    "kafka": KafkaServer,
    "rabbitmq": RabbitmqServer,
}


class Service:
    """One of the services, in a process of its own that can be killed and started again."""

    def __init__(self, name: str, database: str, broker: str, log: Path) -> None:
        self._command = [sys.executable, "-m", "examples.orders.serve", name, database]
        self.log = log
        self._environment = os.environ | {BROKER_VARIABLE: broker}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=log)

    @property
    def ended(self) -> int | None:
        """The exit code, where nobody has killed it."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


class World:
    """The services and what they stand on."""

    def __init__(self, broker: PrivateServer, postgres: PostgresServer | None, folder: Path) -> None:
        self.broker, self.postgres = broker, postgres
        orders = f"sqlite:///{folder / 'orders.db'}" if postgres is None else postgres.create_database()
        self.databases = {"orders": orders, "shipping": f"sqlite:///{folder / 'shipping.db'}"}
        self.services = {
            name: [
                Service(name, self.databases[name], broker.url, folder / f"{name}-{number}.log") for number in range(2)
            ]
            for name in self.databases
        }

    def restart(self, rng: random.Random) -> None:
        """Kills one thing, and starts it again after a moment."""
        kinds = ["orders", "shipping", "broker"] + ([] if self.postgres is None else ["postgres"])
        chosen = rng.choice(kinds)
        if chosen in self.services:
            service = rng.choice(self.services[chosen])
            service.kill()
            service.start()
        elif chosen == "broker":
            self.broker.kill()
            threading.Event().wait(rng.uniform(0.0, 0.5))
            self.broker.start()
        elif self.postgres is not None:
            self.postgres.kill()
            self.postgres.start()

    def revive(self) -> None:
        """Starts again, as a supervisor does, what ended because the database was away when it was started."""
        for name, both in self.services.items():
            for each in both:
                if each.ended is not None:
                    said = each.log.read_text(errors="replace")[-3_000:]
                    last = said.rstrip().rpartition("\n")[2]
                    assert "StoreUnavailable" in last, f"{name} ended with {each.ended}: {said}"
                    each.start()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        everyone = [each for both in self.services.values() for each in both]
        try:
            for each in everyone:
                each.start()
            yield
        finally:
            for each in everyone:
                each.kill()


def place_all(app: Application, orders: list[PlaceOrder], placed: Callable[[int], None]) -> None:
    """Each order under its own key, again and again until it is stored, whatever is away."""
    count = 0
    for batch in batches(orders, 20):
        waiting = list(batch)
        while waiting:
            results = app.dispatch_many(waiting, idempotency_key=lambda each: each.order_id)  # type: ignore[attr-defined]  # of PlaceOrder
            waiting = []
            for each in results:
                if each.error is not None:
                    assert isinstance(each.error, StoreError), each.error
                    assert isinstance(each.command, PlaceOrder)
                    waiting.append(each.command)
            if waiting:
                threading.Event().wait(0.05)
        count += len(batch)
        placed(count)


def noted(app: Application) -> int:
    try:
        return int(app.query(OrderRow).where(parcel__null=False).count())
    except StoreError:
        return 0


def balance(world: World, orders: list[PlaceOrder], kills: int) -> None:
    rng = random.Random(SEED)
    moments = sorted(rng.randrange(len(orders)) for _ in range(kills))
    with (
        SERVICES["orders"](world.databases["orders"], world.broker.url) as app,
        SERVICES["shipping"](world.databases["shipping"], world.broker.url) as shipping,
        world.at_work(),
    ):

        def placed(count: int) -> None:
            world.revive()
            while moments and moments[0] < count:
                moments.pop(0)
                world.restart(rng)

        place_all(app, orders, placed)
        deadline, last = time.monotonic() + PATIENCE_SECONDS, -1
        while (now := noted(app)) < len(orders):
            assert time.monotonic() < deadline, f"{now} of {len(orders)} orders are known to be shipped"
            world.revive()
            deadline = time.monotonic() + PATIENCE_SECONDS if now > last else deadline
            last = max(now, last)
            threading.Event().wait(0.1)
        ordered, shipped = order_books(app), shipping_books(shipping)
    assert (ordered.orders, ordered.cds, ordered.cents) == expected_books(orders)
    assert (shipped.orders, shipped.cds, shipped.cents) == expected_books(orders)
    assert (ordered.repeated, shipped.repeated, shipped.out_of_order) == (0, 0, 0)
    assert (ordered.parcels, ordered.parcel_sum) == (shipped.parcels, shipped.parcel_sum)


@pytest.mark.parametrize("kind", BROKERS)
def test_the_books_balance_whatever_is_killed(kind: str, tmp_path: Path) -> None:
    with BROKERS[kind]() as broker:
        balance(World(broker, None, tmp_path), read_orders(ORDERS), KILLS)


def test_the_books_balance_on_postgresql_too(tmp_path: Path) -> None:
    with NatsServer() as broker, PostgresServer() as postgres:
        balance(World(broker, postgres, tmp_path), read_orders(ORDERS), KILLS)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("kind", BROKERS)
def test_the_books_balance_over_many_orders_and_kills(kind: str, database: str, tmp_path: Path) -> None:
    orders = read_orders(MANY_ORDERS)
    with BROKERS[kind]() as broker:
        if database == "sqlite":
            balance(World(broker, None, tmp_path), orders, MANY_KILLS)
        else:
            with PostgresServer() as postgres:
                balance(World(broker, postgres, tmp_path), orders, MANY_KILLS)
