"""Two services and a broker: every order becomes a parcel, once, and both sides agree at the end.

python -m examples.orders.demo                      # both services in this process
python -m examples.orders.demo --broker nats        # two processes, and a broker that is started for it
python -m examples.orders.demo --broker kafka://127.0.0.1:9092 --rows 69659
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import func, select

from eventfold import Application, Command, EventfoldError
from examples.orders.books import Books, expected_books, order_books, shipping_books
from examples.orders.brokers import KINDS, DemoBroker, demo_broker
from examples.orders.order import OrderRow, PlaceOrder
from examples.orders.orders import read_orders
from examples.orders.serve import BROKER_VARIABLE
from examples.orders.services import SERVICES, order_service, shipping_service
from examples.orders.shipment import parcels
from tests.services.server import ServerUnavailableError

ROWS = 5_000
FAILED, INTERRUPTED = 1, 130
PATIENCE_SECONDS = 120.0
DATABASES = {"orders": "orders.db", "shipping": "shipping.db"}
"""The demo's own files in the working directory: they are made anew each time."""


class DisagreementError(Exception):
    """The two sides do not say the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.orders.demo", description="Ships real orders of CDs.")
    wanted = os.environ.get(BROKER_VARIABLE, "memory")  # where a password need not stand in the list of processes
    parser.add_argument(
        "--broker",
        default=wanted,
        metavar="KIND",
        help=f"{', '.join(KINDS)}, or a URL; by default {BROKER_VARIABLE}, or memory",
    )
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help=f"so many orders; by default {ROWS:,}")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if options.broker not in KINDS and "://" not in options.broker:
        parser.error(f"--broker: expected one of {', '.join(KINDS)}, or a URL, got {options.broker!r}")
    try:
        with demo_broker(console, options.broker) as broker:
            run(console, broker, read_orders(options.rows))
    except KeyboardInterrupt:
        console.print("\n[yellow]Interrupted.[/yellow] Run it again: it starts afresh.")
        return INTERRUPTED
    except (EventfoldError, DisagreementError, ServerUnavailableError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return FAILED
    return 0


def run(console: Console, broker: DemoBroker, orders: Sequence[PlaceOrder], folder: Path | None = None) -> None:
    """Starts the services, places the orders, and waits until all of them are shipped.

    Raises:
        DisagreementError: they are not shipped in time, or the two sides do not agree.
    """
    urls = {name: f"sqlite:///{_fresh((folder or Path()) / file)}" for name, file in DATABASES.items()}
    with ExitStack() as stack:
        app = stack.enter_context(order_service(urls["orders"], broker.url))
        shipping = stack.enter_context(shipping_service(urls["shipping"], broker.url))
        if broker.in_one_process:
            stack.enter_context(app.worker())
            stack.enter_context(shipping.worker())
            console.print(f"two services in one process, {broker.said}")
        else:
            for name in SERVICES:
                stack.enter_context(_service(name, urls[name], broker.url))
            console.print(f"two services in two processes, {broker.said}")
        started = time.perf_counter()
        _ship(console, app, shipping, orders)
        seconds = time.perf_counter() - started
        console.print(
            f"{len(orders):,} orders placed, told, shipped, and told back in {seconds:.1f} s: "
            f"{len(orders) / seconds:,.0f} a second"
        )
        _compare(console, orders, order_books(app), shipping_books(shipping))


def _ship(console: Console, app: Application, shipping: Application, orders: Sequence[PlaceOrder]) -> None:
    columns = TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {name: progress.add_task(name, total=len(orders)) for name in ("placed", "sent", "noted")}
        for batch in batches(orders):
            for done in app.dispatch_many(batch, idempotency_key=_key_of):
                if done.error is not None:
                    raise done.error
            progress.advance(tasks["placed"], len(batch))
            progress.update(tasks["sent"], completed=_sent(shipping))
        deadline, noted = time.monotonic() + PATIENCE_SECONDS, 0
        while noted < len(orders):
            progress.update(tasks["sent"], completed=_sent(shipping))
            now = app.query(OrderRow).where(parcel__null=False).count()
            progress.update(tasks["noted"], completed=now)
            deadline = time.monotonic() + PATIENCE_SECONDS if now > noted else deadline
            if time.monotonic() > deadline:
                raise DisagreementError(
                    f"expected {len(orders):,} orders to be shipped, got {now:,}, and no more for {PATIENCE_SECONDS:g} s"
                )
            noted = now
            time.sleep(0.1)


def batches(orders: Sequence[PlaceOrder], most: int = 100) -> Iterator[list[PlaceOrder]]:
    """Orders that can be placed at once: of each customer one, since the next one comes after it."""
    batch: dict[str, PlaceOrder] = {}
    for each in orders:
        if len(batch) == most or each.customer_id in batch:
            yield list(batch.values())
            batch = {}
        batch[each.customer_id] = each
    yield list(batch.values())


def _key_of(command: Command) -> str:
    """An order that is placed again, since the demo was interrupted, say, is the same order."""
    assert isinstance(command, PlaceOrder)
    return command.order_id


def _sent(shipping: Application) -> int:
    engine = shipping.store.backend.engine
    assert engine is not None
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(parcels)).scalar_one())


@contextmanager
def _service(name: str, database: str, broker: str) -> Iterator[None]:
    command = [sys.executable, "-m", "examples.orders.serve", name, database]
    process = subprocess.Popen(command, env=os.environ | {BROKER_VARIABLE: broker})
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _compare(console: Console, orders: Sequence[PlaceOrder], ordered: Books, shipped: Books) -> None:
    count, cds, cents = expected_books(orders)
    lines = [
        ("orders", count, ordered.orders, shipped.orders),
        ("counted more than once", 0, ordered.repeated, shipped.repeated),
        ("before an earlier one", 0, ordered.out_of_order, shipped.out_of_order),
        ("CDs", cds, ordered.cds, shipped.cds),
        ("dollars", cents, ordered.cents, shipped.cents),
        ("parcels on their way", count, ordered.parcels, shipped.parcels),
        ("sum of their numbers", shipped.parcel_sum, ordered.parcel_sum, shipped.parcel_sum),
    ]
    table = Table(title="both sides, held against the file", title_justify="left")
    for heading in ("", "the file", "order service", "shipping service", ""):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for name, *values in lines:
        shown = [f"{each / 100:,.2f}" if name == "dollars" else f"{each:,}" for each in values]
        table.add_row(name, *shown, "[green]yes[/green]" if len(set(values)) == 1 else "[red]NO[/red]")
    console.print(table)
    if wrong := [name for name, *values in lines if len(set(values)) > 1]:
        raise DisagreementError(f"expected both sides to agree, they do not on: {', '.join(wrong)}")


def _fresh(path: Path) -> Path:
    for each in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)
    return path


if __name__ == "__main__":
    raise SystemExit(main())
