import signal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from eventstore import log_copy, open_store
from eventstore.log_transform import CopiedEvent
from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli


def merge(event: CopiedEvent) -> CopiedEvent | None:
    return replace(event, stream="order-all") if event.type == "ItemAdded" else None


@pytest.fixture
def target(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'target.db'}"


def test_a_log_is_copied_as_it_is_and_the_copy_is_proven(filled: Cli, target: str) -> None:
    copied = filled.json("log", "copy", target)

    assert copied["target"] == "SQLite target.db"
    assert (copied["events_read"], copied["events_written"], copied["target_position"]) == (6, 6, 6)
    assert len(copied["sha256"]) == 64
    assert filled.json("events", "list") == filled.json("events", "list", "--database", target)


def test_a_transform_makes_another_log_of_it(filled: Cli, target: str) -> None:
    copied = filled.json("log", "copy", target, "--transform", "tests.eventfold.cli.test_log:merge")

    assert (copied["events_read"], copied["events_written"]) == (6, 3)
    with open_store(target) as store:
        assert [(each.stream, each.version) for each in store.streams()] == [("order-all", 3)]


def test_a_signal_ends_it_and_the_same_command_goes_on(
    filled: Cli, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_copy, "PAGE", 2)
    pages = log_copy._pages

    def copy_and_interrupt(*args: Any) -> Any:
        for page in pages(*args):
            yield page
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(log_copy, "_pages", copy_and_interrupt)
        result = filled("log", "copy", target, code=1)

    assert "interrupted. The same command goes on from there." in result.stderr
    with open_store(target) as store:
        assert store.head() == 2
    assert filled.json("log", "copy", target)["events_written"] == 6


def test_a_target_with_other_events_is_refused(filled: Cli, target: str) -> None:
    shop.app.parts.use_database(target)
    shop.app.store.append("order-x", [shop.ItemsCleared()])
    shop.app.close()

    assert "expected an empty log" in filled("log", "copy", target, code=1).stderr


def test_a_log_is_not_copied_onto_itself(filled: Cli) -> None:
    assert "source and target are the same log" in filled("log", "copy", filled.database, code=1).stderr


def test_a_second_run_says_that_it_had_nothing_to_read(filled: Cli, target: str) -> None:
    assert filled.json("log", "copy", target)["read_by_this_run"] == 6

    again = filled.json("log", "copy", target)

    assert (again["events_written"], again["read_by_this_run"]) == (6, 0)


def test_a_copy_on_postgresql_has_the_tables_that_read_models_need_and_is_looked_at_by_its_url(
    filled: Cli, postgres_url: str
) -> None:
    said = filled("log", "copy", postgres_url, "--schema", "moved", "--prefix", "shop_").stderr

    assert "--database 'TARGET_URL?prefix=shop_&schema=moved'" in said
    assert 'Application(url, prefix="shop_", schema="moved")' in said
    moved = f"{postgres_url}?prefix=shop_&schema=moved"
    assert filled.json("status", "--database", moved)["events"] == 6
    assert filled.json("projections", "rebuild", "--all", "--database", moved)[0]["events"] == 6
    assert filled.json("snapshots", "build", "--database", moved)[0]["failed"] == 0


def test_where_only_the_tables_of_read_models_are_missing_status_counts_the_log(filled: Cli, postgres_url: str) -> None:
    with open_store(postgres_url, migrate=True) as store:
        store.append("order-x", [shop.ItemsCleared()])

    shown = filled.json("status", "--database", postgres_url)

    assert (shown["events"], shown["head"]) == (1, 1)
    assert shown["pending_migrations"][0] == "projections/0001_generations"
    assert not any(each.startswith("eventstore/") for each in shown["pending_migrations"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("merge", "expected module:function"),
        ("no.such.module:merge", "No module named"),
        ("tests.eventfold.cli.test_log:nothing", "has no function 'nothing'"),
        ("tests.eventfold.cli.shop:app", "has an object 'app' of Application, and no function 'app'"),
    ],
)
def test_a_transform_that_is_not_there_is_wrong_usage(filled: Cli, target: str, name: str, message: str) -> None:
    result = filled("log", "copy", target, "--transform", name, code=2)
    assert message in words(result.stderr)


def test_a_transform_whose_module_cannot_be_imported_is_wrong_usage(
    filled: Cli, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_moves.py").write_text("def merge(:\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    result = filled("log", "copy", target, "--transform", "broken_moves:merge", code=2)

    assert "importing broken_moves failed: SyntaxError: invalid syntax" in words(result.stderr)


def words(text: str) -> str:
    """What stands in a box, in one line."""
    return " ".join(text.replace("│", " ").split())
