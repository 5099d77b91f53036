"""init, check, migrate, status, and what surrounds every command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eventfold import __version__
from tests.eventfold.cli.conftest import ROOT, Cli, fill


def _typed(folder: Path, line: str) -> str:
    """What a line that a person types prints, in a folder, with nothing in the environment to help."""
    line = line.partition("  #")[0]
    words = [sys.executable, *line.removeprefix("python ").split()]
    if line.startswith("eventfold"):
        words = [sys.executable, "-m", *line.split()]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EVENTFOLD_")}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_what_init_prints_as_next_steps_works_as_printed(tmp_path: Path) -> None:
    said = _typed(tmp_path, "eventfold init bank").splitlines()
    steps = [line.strip() for line in said[said.index("Next:") + 1 :]]
    assert steps.pop(0) == "cd bank"
    printed = {step: _typed(tmp_path / "bank", step) for step in steps}
    assert "70" in next(out for step, out in printed.items() if step.startswith("eventfold query"))
    assert "4 passed" in printed[steps[-1]]


def test_init_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("mine")
    assert "app.py already" in cli("init", str(tmp_path), code=1).stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app.py"]
    assert (tmp_path / "app.py").read_text() == "mine"


def test_check_reports_all_parts_without_touching_the_database(cli: Cli, tmp_path: Path) -> None:
    del cli.environment["EVENTFOLD_DATABASE"]
    found = cli.json("check")
    assert [each["command"] for each in found["handlers"]] == ["OpenOrder", "AddItem", "ClearItems", "MoveOrder"]
    assert [each["category"] for each in found["aggregates"]] == ["order"]
    assert [each["model"] for each in found["projections"]] == ["OrderRow", "Sold"]
    assert len(found["events"]) == 4
    assert list(tmp_path.iterdir()) == []


def test_check_names_the_pending_migrations_of_a_database_and_does_not_make_it(cli: Cli, tmp_path: Path) -> None:
    assert cli.json("check")["pending_migrations"]
    assert list(tmp_path.iterdir()) == []


def test_check_finds_what_cannot_work(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_parts.py").write_text(
        "from tests.eventfold.cli.shop import *\n"
        "app = Application('sqlite:///x.db', projections=[orders.into(SqlTable('orders', indexes=['colour']))])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    del cli.environment["EVENTFOLD_DATABASE"]
    shown = cli("check", "--app", "broken_parts:app", code=1).stdout
    assert "colour" in " ".join(shown.split())
    assert "no handlers" in shown


def test_migrate_says_what_it_applies_once(cli: Cli) -> None:
    names = [each["migration"] for each in cli.json("migrate", "--dry-run")]
    assert {each.partition("/")[0] for each in names} == {"commands", "eventstore", "projections"}
    assert [each["migration"] for each in cli.json("migrate")] == names
    assert cli.json("migrate") == []
    assert "up to date" in cli("migrate").stderr


def test_status_never_migrates(cli: Cli) -> None:
    assert cli.json("status")["pending_migrations"]
    assert "eventfold migrate" in cli("status").stderr
    cli("migrate")
    assert cli.json("status")["pending_migrations"] == []


def test_status_shows_the_head_and_the_lag(filled: Cli) -> None:
    found = filled.json("status")
    assert found["events"] == found["head"] == 6
    assert [each["lag"] for each in found["projections"]] == [6, 6]
    assert found["stalled_appends"] == []
    assert (found["outbox"], found["inbox"], found["scheduled"]) == (None, [], None)
    assert "outbox" not in filled("status").stdout


def test_a_postgresql_database_is_migrated_written_and_read(postgres_url: str) -> None:
    cli = Cli(postgres_url)
    try:
        assert "run `eventfold migrate`" in cli("dispatch", "OpenOrder", "order_id=o-1", "owner=Ada", code=1).stderr
        assert cli.json("status")["events"] is None
        cli("migrate")
        fill(cli)
        assert cli.json("status")["head"] == 6
        assert len(cli.json("events", "list", "--type", "ItemAdded")) == 3
        assert [each["cents"] for each in cli.json("query", "OrderRow", "--fresh")] == [400, 100]
        cli("projections", "rebuild", "--all")
        assert [each["lag"] for each in cli.json("projections", "status")] == [0, 0]
        assert cli.json("state", "Order", "o-1", "--diff", "1..2")[0]["field"] == "items[0]"
    finally:
        cli.close()


# Typer finds out the shell by the parent process, which under CI is no shell that it knows; so the test names it.
ASK_FOR_THE_SHELL = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"


def test_the_version_and_the_completion_script_are_printed(cli: Cli) -> None:
    assert cli("--version").stdout == f"eventfold {__version__}\n"
    script = subprocess.run(
        [sys.executable, "-m", "eventfold", "--show-completion", "bash"],
        env={**os.environ, "PYTHONPATH": str(ROOT), ASK_FOR_THE_SHELL: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "complete" in script.stdout


COMMANDS = """
init, check, migrate, status, dispatch, streams list, streams show, events list, events show, events tail, state, query,
projections list, projections status, projections rebuild, worker run
"""


@pytest.mark.parametrize("command", [each.strip() for each in COMMANDS.split(",")])
def test_every_command_explains_itself_with_an_example(cli: Cli, command: str) -> None:
    shown = " ".join(cli(*command.split(), "--help").stdout.split())
    assert f"Example: eventfold {command}" in shown


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "expected a URL such as sqlite:///app.db"),
        ("mysql://host/x", "mysql://: no backend of that name"),
        ("sqlite://", "expected the path of a file"),
        ("postgresql://nobody@127.0.0.1:1/x", "127.0.0.1:1/x"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence(cli: Cli, url: str, sentence: str) -> None:
    for arguments in (["status"], ["events", "list"], ["migrate"]):
        said = cli(*arguments, "--database", url, code=1).stderr
        assert said.startswith("error: ")
        assert sentence in said


def test_an_unknown_command_is_wrong_usage(cli: Cli) -> None:
    assert "No such command" in cli("evnts", code=2).stderr
    cli("streams", "show", code=2)


def test_debug_shows_the_traceback_and_nothing_else_does(filled: Cli) -> None:
    for debug, seen in ((["--debug"], True), ([], False)):
        process = filled.start(*debug, "streams", "show", "order-o-9")
        _, said = process.communicate()
        assert process.returncode == 1
        assert ("Traceback" in said) is seen
        assert "has no events" in said


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("eventfold dispatch ", ["OpenOrder", "AddItem", "ClearItems", "MoveOrder"]),
        ("eventfold state Or", ["Order"]),
        ("eventfold query S", ["Sold"]),
        ("eventfold projections rebuild ", ["orders", "sold"]),
        ("eventfold eve", ["events"]),
    ],
)
def test_the_shell_completes_what_the_application_declares(cli: Cli, typed: str, completed: list[str]) -> None:
    process = cli.start(
        _EVENTFOLD_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split(" ")) - 1)
    )
    out, _ = process.communicate()
    assert out.split() == completed
