import pytest

from commands.idempotency import ledger
from eventfold import Application
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.shop import OpenOrder, open_order


@pytest.fixture
def kept(cli: Cli) -> Cli:
    cli("migrate")
    cli("dispatch", "OpenOrder", "order_id=o-1", "owner=Ada", "--idempotency-key", "req-1")
    cli("dispatch", "OpenOrder", "order_id=o-1", "owner=Ada", "--idempotency-key", "req-1")
    return cli


def test_a_command_sent_twice_under_a_key_is_done_once(kept: Cli) -> None:
    assert len(kept.json("events", "list")) == 1


def test_keys_are_listed_and_shown(kept: Cli) -> None:
    [row] = kept.json("idempotency", "list")

    assert (row["key"], row["command"], row["outcome"]) == ("req-1", OpenOrder.__name__, "1 event")
    assert "req-1" in kept("idempotency", "list").stdout
    assert kept.json("idempotency", "show", "req-1")["stream"] == "order-o-1"


def test_an_unknown_key_and_another_command_are_refused(kept: Cli) -> None:
    assert "never used, or has expired" in kept("idempotency", "show", "req-2", code=1).stderr
    refused = kept("dispatch", "OpenOrder", "order_id=o-2", "owner=Ada", "--idempotency-key", "req-1", code=1)
    assert "idempotency key 'req-1': expected the command that used it first" in refused.stderr


def test_a_key_that_is_forgotten_is_a_new_one(kept: Cli) -> None:
    assert kept.json("idempotency", "forget", "req-1")["key"] == "req-1"

    kept("idempotency", "forget", "req-1", code=1)
    kept("dispatch", "AddItem", "order_id=o-1", "name=tea", "--idempotency-key", "req-1")
    assert len(kept.json("events", "list")) == 2


def test_expired_keys_are_forgotten_by_hand_and_by_a_worker(kept: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.json("idempotency", "prune") == {"pruned": 0}
    later = ledger.now_us() + 25 * 3600 * 1_000_000
    monkeypatch.setattr(ledger, "now_us", lambda: later)

    assert kept.json("idempotency", "list") == []
    with Application(kept.database, handlers=[open_order]) as app:
        app.worker()._prune()
        assert app.parts.ledger.prune() == 0
