import asyncio
import itertools
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from commands.brokers.memory import MemoryBroker
from commands.cloud_event import CloudEvent
from commands.idempotency import ledger
from eventfold import EventStore, Outbox, open_store
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.shipping import OrderPlaced, Strength, app

NUMBERS = itertools.count()
"""The broker in memory lasts as long as the process, so each test says something new."""


def said(order_id: str, weight: int) -> CloudEvent:
    data = msgspec.json.encode(OrderPlaced(order_id, weight))
    return CloudEvent(
        f"m-{next(NUMBERS)}", "/shop", "OrderPlaced", data, "orders", order_id, 0, headers={"traceparent": "t"}
    )


@pytest.fixture
def shipping(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr(Strength, "kilos", 10)
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.shipping:app"
    cli("migrate")
    broker = MemoryBroker("cli-shipping")
    broker._bus.kept.clear()
    orders = [said("o-1", 5), said("o-2", 50), said("o-2", 1), said("o-3", 3)]
    orders.append(msgspec.structs.replace(said("o-4", 1), data=b"{}"))
    asyncio.run(broker.publish(orders))
    app.parts.use_database(cli.database)
    try:
        with app.inbox.worker():
            while sum(each.aside for each in app.inbox.status()) < 3 or app.store.head() < 2:
                time.sleep(0.01)
    finally:
        app.close()
    return cli


def test_what_is_set_aside_is_listed_and_shown_in_every_format(shipping: Cli) -> None:
    rows = {row["key"]: row for row in shipping.json("inbox", "list")}

    assert rows.keys() == {"o-2", "o-4"}
    heavy = rows["o-2"]
    assert (heavy["state"], heavy["group"], heavy["followers"]) == ("parked", "shipping", 1)
    assert heavy["error"] == "ValueError: 50 kg are too much"
    assert "cannot be read as OrderPlaced" in rows["o-4"]["error"]
    for form in ("table", "csv", "jsonl"):
        assert "50 kg are" in shipping("inbox", "list", "--format", form).stdout
    first, second = sorted(row["number"] for row in rows.values())
    assert f"go on with --after {first}" in shipping("inbox", "list", "--limit", "1").stderr
    assert [row["number"] for row in shipping.json("inbox", "list", "--after", str(first))] == [second]

    shown = shipping.json("inbox", "show", str(heavy["number"]))
    assert shown["data"] == {"order_id": "o-2", "weight": 50}
    assert shown["headers"] == {"traceparent": "t"}
    assert [each["state"] for each in shown["followers"]] == ["following"]
    assert "no message 99" in shipping("inbox", "show", "99", code=1).stderr


def test_messages_are_retried_with_what_follows_them(shipping: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    number = str(next(row["number"] for row in shipping.json("inbox", "list") if row["key"] == "o-2"))
    shipping("inbox", "retry", number, code=1)
    monkeypatch.setattr(Strength, "kilos", 100)

    [retried] = shipping.json("inbox", "retry", number)

    assert (retried["handled"], retried["left"]) == (2, 0)
    streams = [each["stream"] for each in shipping.json("events", "list")]
    assert sorted(streams) == ["shipment-o-1", "shipment-o-2", "shipment-o-2", "shipment-o-3"]
    assert "o-4" in shipping("inbox", "retry", code=1).stdout


def test_messages_are_given_up(shipping: Cli) -> None:
    numbers = {row["key"]: str(row["number"]) for row in shipping.json("inbox", "list")}

    assert "no message 99" in shipping("inbox", "discard", numbers["o-4"], "99", code=1).stderr
    assert shipping.json("inbox", "discard", numbers["o-4"], numbers["o-2"], "--followers")["discarded"] == 3

    assert shipping.json("inbox", "list") == []
    assert "nothing is set aside" in shipping("inbox", "list").stderr


def test_the_status_tells_how_far_each_partition_is_read(shipping: Cli) -> None:
    rows = shipping.json("inbox", "status")

    assert len(rows) == 8
    assert sum(row["aside"] for row in rows) == 3
    assert {row["reader"] for row in rows} == {None}
    shipping.environment["COLUMNS"] = "120"
    moved = next(row["moved_at"] for row in rows if row["moved_at"])
    assert datetime.fromisoformat(moved).strftime("%Y-%m-%d %H:%M:%S") in shipping("inbox", "status").stdout
    shown = shipping("inbox", "show", str(shipping.json("inbox", "list")[0]["number"])).stdout
    assert re.search(r"kept_at +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", shown)


def test_the_status_of_the_application_has_a_row_for_each_channel(shipping: Cli) -> None:
    [row] = shipping.json("status")["inbox"]

    assert (row["group"], row["channel"], row["partitions"], row["read_now"]) == ("shipping", "orders", 8, 0)
    assert (row["aside"], row["parked"]) == (3, 2)
    assert row["moved_at"] == max(each["moved_at"] or "" for each in shipping.json("inbox", "status"))
    assert "read now" in shipping("status").stdout


def test_before_it_was_read_a_channel_is_in_the_status_too(cli: Cli) -> None:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.hearing:app"
    cli("migrate")

    [row] = cli.json("status")["inbox"]

    assert (row["group"], row["channel"], row["partitions"], row["moved_at"]) == ("hear", "numbers", 0, None)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker in memory has nothing under way."""
    monkeypatch.setattr("commands.inbox.lane_reader.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("commands.inbox.lane_reader.QUIET_SECONDS", 0.05)


@pytest.mark.usefixtures("soon")
def test_what_the_broker_has_now_is_consumed_and_what_is_set_aside_is_told(shipping: Cli) -> None:
    asyncio.run(MemoryBroker("cli-shipping").publish([said("o-5", 1)]))

    assert "3 messages set aside" in shipping("inbox", "consume", "--once", code=1).stderr
    assert "shipment-o-5" in shipping("streams", "list").stdout

    asyncio.run(MemoryBroker("cli-shipping").publish([said("o-6", 1)]))
    assert "3 messages set aside" in shipping("worker", "run", "--until-caught-up", code=1).stderr
    assert "shipment-o-6" in shipping("streams", "list").stdout

    shipping("inbox", "discard", *[str(each["number"]) for each in shipping.json("inbox", "list")], "--followers")
    assert len(shipping.json("inbox", "consume", "--once")) == 8


def test_consuming_once_says_that_the_broker_is_away(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.shipping:app"
    monkeypatch.setattr(app.parts, "broker", "nats://127.0.0.1:1")
    app.parts._inbox = None
    try:
        assert "NATS 127.0.0.1:1" in cli("inbox", "consume", "--once", code=1).stderr
    finally:
        app.parts._inbox = None


def test_what_was_handled_long_ago_is_forgotten(shipping: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipping.json("inbox", "prune") == {"pruned": 0}
    later = ledger.now_us() + 8 * 24 * 3600 * 1_000_000
    monkeypatch.setattr("commands.inbox.pruning.now_us", lambda: later)

    assert shipping.json("inbox", "prune") == {"pruned": 5}


def leases_in(store: EventStore) -> int:
    assert store.backend.sql is not None
    with store.backend.sql.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM eventfold_inbox_leases").scalar() or 0)


def test_it_consumes_until_it_is_told_to_end(cli: Cli) -> None:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.shipping:app"
    cli("migrate")
    process = cli.start("inbox", "consume")
    with open_store(cli.database) as store:
        while not leases_in(store):
            time.sleep(0.02)

        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)

        assert process.returncode == 0
        assert "stopped" in errors
        assert leases_in(store) == 0


ALONE = """
from eventfold import Inbox, Outbox, consumes
from tests.eventfold.cli.shipping import OrderPlaced

@consumes(group="alone")
def ship(message: OrderPlaced) -> None: ...

inbox = Inbox("{url}", consumers=[ship])
outbox = Outbox("{url}", source="/alone")
"""


def test_an_inbox_and_an_outbox_that_stand_alone_are_looked_after_too(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alone.py").write_text(ALONE.format(url=cli.database))
    monkeypatch.syspath_prepend(tmp_path)
    inbox, outbox = ("--app", "alone:inbox"), ("--app", "alone:outbox")

    cli.environment["COLUMNS"] = "240"

    assert "an Inbox has its own" in cli("inbox", "list", *inbox, code=2).stderr
    del cli.environment["EVENTFOLD_DATABASE"]

    assert "expected an Application, got Inbox" in cli("status", *inbox, code=1).stderr
    for arguments in (("list",), ("relay",), ("relay", "--once"), ("stream",)):
        assert "expected an Application or an Outbox, got Inbox" in cli("outbox", *arguments, *inbox, code=1).stderr
    assert "expected an Application or an Inbox, got Outbox" in cli("inbox", "list", *outbox, code=1).stderr
    assert "name a broker" in cli("inbox", "consume", *inbox, code=1).stderr

    with Outbox(cli.database) as told:
        told.send(OrderPlaced("o-1", 5))
    assert (
        "an Outbox that stands alone names no broker: give --broker" in cli("outbox", "relay", *outbox, code=2).stderr
    )
    assert cli.json("outbox", "relay", "--once", "--broker", "memory://alone", *outbox) == {"sent": 1}
    assert "only PostgreSQL" in cli("outbox", "stream", "--broker", "memory://alone", *outbox, code=1).stderr
    assert cli.json("outbox", "status", *outbox)["pending"] == 0


def test_without_consumers_nothing_is_consumed(cli: Cli) -> None:
    cli("migrate")

    assert "there is nobody to consume" in cli("inbox", "consume", code=1).stderr
