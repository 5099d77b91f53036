"""Every command that looks after read models, where these are in another database than the log's."""

from pathlib import Path

import pytest

from tests.eventfold.cli import reports
from tests.eventfold.cli.conftest import Cli


@pytest.fixture
def elsewhere(filled: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("SHOP_REPORTS", f"sqlite:///{tmp_path / 'reports' / 'rows.db'}")
    (tmp_path / "reports").mkdir()
    filled.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.reports:app"
    return filled


def test_all_of_them_work_on_it(elsewhere: Cli, tmp_path: Path) -> None:
    pending = elsewhere.json("migrate", "--dry-run")
    assert {each["migration"].partition(" in ")[2] for each in pending} == {"SQLite rows.db"}
    assert not (tmp_path / "reports/rows.db").exists()
    assert elsewhere.json("migrate") == [{**each, "state": "applied"} for each in pending]
    assert len(elsewhere.json("query", "OrderRow", "--fresh")) == 2
    elsewhere("projections", "rebuild", "orders", "--processes", "2")
    elsewhere("projections", "rollback", "orders")
    elsewhere("projections", "prune", "--all")
    elsewhere("projections", "verify", "orders")
    elsewhere("projections", "pause", "orders")
    assert [each["state"] for each in elsewhere.json("projections", "status")] == ["paused", "new"]
    elsewhere("projections", "resume", "orders")
    elsewhere("projections", "reset", "orders")
    assert elsewhere.json("projections", "parked", "list") == []
    assert elsewhere.json("query", "OrderRow", "o-1", "--fresh")["cents"] == 400
    assert elsewhere.json("diff", "OrderRow", "o-1", "--from", "position:1", "--to", "position:3") != []
    assert elsewhere.json("check", "--database", elsewhere.database)["problems"] == []
    reports.app.close()


def test_status_and_log_do_without_it(elsewhere: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_REPORTS", f"sqlite:///{tmp_path / 'nowhere' / 'rows.db'}")

    status = elsewhere.json("status")

    assert status["events"] == 6
    assert [each["state"] for each in status["projections"]] == ["failed", "failed"]
    assert "unable to open" in status["projections"][0]["error"]
    assert "unable to open" in elsewhere("query", "OrderRow", "--fresh", code=1).output
    elsewhere("dispatch", "OpenOrder", "order_id=o-3", "owner=Cy")
    reports.app.close()
