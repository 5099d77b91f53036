"""The story of the two services, in one process and in two."""

from pathlib import Path

import pytest
from rich.console import Console

from examples.orders.brokers import demo_broker
from examples.orders.demo import DisagreementError, batches, main, run
from examples.orders.orders import read_orders


def test_every_order_is_shipped_once_and_both_sides_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--rows", "60"]) == 0
    said = capsys.readouterr().out
    assert "two services in one process" in said
    assert "NO" not in said


def test_two_processes_and_a_real_broker_agree_too(tmp_path: Path) -> None:
    console = Console(record=True, width=120)
    with demo_broker(console, "nats") as broker:
        run(console, broker, read_orders(60), tmp_path)
    assert "two services in two processes" in console.export_text()


def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.orders.demo.expected_books", lambda _orders: (61, 0, 0))
    console = Console(quiet=True)
    with demo_broker(console, "memory") as broker, pytest.raises(DisagreementError, match="orders, CDs, dollars"):
        run(console, broker, read_orders(60), tmp_path)


def test_of_each_customer_one_order_is_placed_at_a_time() -> None:
    for batch in batches(read_orders(500)):
        customers = [each.customer_id for each in batch]
        assert len(set(customers)) == len(customers)


def test_another_broker_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--broker", "pigeons"])
    assert "expected one of memory, nats, kafka, rabbitmq, redis, or a URL, got 'pigeons'" in capsys.readouterr().err
