"""Commands as processes of their own: what they do when others write, and when they are told to end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.eventfold.cli import gated
from tests.eventfold.cli.conftest import ROOT, Cli, fill

PATIENCE_SECONDS = 30.0


def _caught_up(cli: Cli) -> bool:
    return all(each["state"] == "live" and each["lag"] == 0 for each in cli.json("projections", "status"))


def _await_line(process: subprocess.Popen[str], part: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if part in line:
            return
    pytest.fail(f"ended without {part!r}: {''.join(seen)}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_keeps_read_models_up_to_date_until_a_signal_ends_it(cli: Cli, number: signal.Signals) -> None:
    cli("migrate")
    worker = cli.start("worker", "run")
    _await_line(worker, "at work for shop: 2 projections")
    fill(cli)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _caught_up(cli):
        assert time.monotonic() < deadline
        assert worker.poll() is None
    worker.send_signal(number)
    out, said = worker.communicate(timeout=PATIENCE_SECONDS)
    assert (worker.returncode, out) == (0, "")
    assert "stopped" in said


def test_a_worker_ends_when_it_has_caught_up_where_that_is_asked(filled: Cli) -> None:
    worker = filled.start("worker", "run", "--until-caught-up", "--format", "jsonl")
    out, _ = worker.communicate(timeout=PATIENCE_SECONDS)
    assert worker.returncode == 0
    assert [json.loads(line)["lag"] for line in out.splitlines()] == [0, 0]
    assert filled.json("query", "OrderRow", "--count") == {"count": 2}


def test_a_worker_says_once_what_a_projection_stands_still_for_and_says_it_of_each(
    tmp_path: Path, sqlite_url: str
) -> None:
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    command = [sys.executable, "-m", "eventfold", "worker", "run", "--until-caught-up", "--app", "failing:app"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "LOG": sqlite_url}

    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert [ran.stderr.count(text) for text in ("'one' has parked", "'two' has parked")] == [1, 1], ran.stderr
    assert "stands still" not in ran.stderr


FAILING = """
import os
from eventfold import Application, Event, Recorded, SqlTable, Struct, projection

class Rung(Event):
    pass

class Bell(Struct, frozen=True):
    name: str

def broken(row: Bell | None, recorded: Recorded[Rung]) -> Bell:
    raise ArithmeticError("cracked")

app = Application(
    os.environ["LOG"], projections=[projection(name)(broken).into(SqlTable(name)) for name in ("one", "two")]
)
app.store.append("bell-a", [Rung()])
"""


def _tail_across_processes(cli: Cli) -> None:
    tail = cli.start("events", "tail", "--format", "jsonl")
    _await_line(tail, "following the log after position 6")
    cli("dispatch", "AddItem", "order_id=o-1", "name=bread")
    assert tail.stdout is not None
    assert json.loads(tail.stdout.readline())["data"] == {"item": {"name": "bread", "cents": 100}}
    cli("dispatch", "AddItem", "order_id=o-2", "name=jam")
    assert json.loads(tail.stdout.readline())["position"] == 8
    tail.send_signal(signal.SIGINT)
    tail.communicate(timeout=PATIENCE_SECONDS)
    assert tail.returncode == 0


def test_tail_sees_what_other_processes_append(filled: Cli) -> None:
    _tail_across_processes(filled)


def test_tail_sees_what_other_processes_append_to_postgresql(postgres_url: str) -> None:
    cli = Cli(postgres_url)
    try:
        fill(cli)
        _tail_across_processes(cli)
    finally:
        cli.close()


def test_an_interrupted_rebuild_says_so_and_goes_on_from_there(cli: Cli, tmp_path: Path) -> None:
    gated.fill(cli.database)
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.gated:app"
    assert cli.json("worker", "run", "--until-caught-up")[0]["events"] == gated.EVENTS
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    rebuild = cli.start("projections", "rebuild", "clocks", GATE=str(gate))
    assert gate.read_text() == "reached"
    rebuild.send_signal(signal.SIGINT)
    _, said = rebuild.communicate(timeout=PATIENCE_SECONDS)
    assert rebuild.returncode == 1
    assert "interrupted at position 10000" in said
    assert cli.json("query", "Clock", "c-1") == {"name": "c-1", "ticks": gated.EVENTS}
    assert cli.json("projections", "status")[0]["rebuilding_position"] == 10_000
    (resumed,) = cli.json("projections", "rebuild", "clocks")
    assert (resumed["events"], resumed["generation"]) == (2_000, 2)
    assert cli.json("query", "Clock", "c-1") == {"name": "c-1", "ticks": gated.EVENTS}


def test_rebuild_names_what_it_rebuilds(filled: Cli) -> None:
    filled("projections", "rebuild", code=2)
    filled("projections", "rebuild", "orders", "--all", code=2)
    assert "there are: orders, sold" in filled("projections", "rebuild", "order", code=1).stderr
    shown = filled.start("projections", "rebuild", "orders", FORCE_COLOR="1")
    _, bar = shown.communicate(timeout=PATIENCE_SECONDS)
    assert "rebuild orders " in bar
    assert "100%" in bar


def test_a_reader_that_has_seen_enough_ends_a_list_quietly(filled: Cli) -> None:
    process = filled.start("events", "list", "--format", "jsonl")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, said) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written_is_an_error_in_one_sentence(filled: Cli) -> None:
    for form in ("table", "jsonl", "csv"):
        line = [sys.executable, "-m", "eventfold", "events", "list", "--format", form]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **filled.environment}
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(line, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

        assert (done.returncode, done.stderr) == (1, "error: [Errno 28] No space left on device\n")


def test_exit_codes_are_0_1_and_2(filled: Cli) -> None:
    codes = []
    for arguments in (["status"], ["state", "Order", "o-9"], ["state", "Order"]):
        process = filled.start(*arguments)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        codes.append(process.returncode)
        assert "Traceback" not in said
    assert codes == [0, 1, 2]
