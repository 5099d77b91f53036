"""Runs the command line: within this process, and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventfold.cli.root import app
from tests.eventfold.cli import shop

ROOT = Path(__file__).parents[3]


class Cli:
    """`eventfold ...` on the shop, in one database."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.environment = {
            "EVENTFOLD_APP": "tests.eventfold.cli.shop:app",
            "EVENTFOLD_DATABASE": database,
            "COLUMNS": "80",
        }
        self.started: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        """Runs a command in this process, and holds it to its exit code."""
        result = CliRunner().invoke(app, list(arguments), env=self.environment, input=stdin)
        assert result.exit_code == code, f"{arguments}: {result.exit_code}\n{result.output}\n{result.exception!r}"
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--format", "json").stdout)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts a command as a process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "eventfold", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment, **environment},
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        shop.app.close()


@pytest.fixture
def cli(sqlite_url: str) -> Iterator[Cli]:
    """The command line on an empty database."""
    made = Cli(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """The same with six events in two streams."""
    fill(cli)
    return cli


def fill(cli: Cli) -> None:
    """Six events in two streams, those of the first with instants of 1997."""
    app, month = shop.app, partial(datetime, 1997, day=1, tzinfo=UTC)
    app.parts.use_database(cli.database)
    app.parts.migrate()
    app.dispatch(shop.OpenOrder("o-1", "Ada"), occurred_at=month(month=1))
    app.dispatch(shop.AddItem("o-1", "tea", 300), occurred_at=month(month=2))
    app.dispatch(shop.AddItem("o-1", "milk"), occurred_at=month(month=3))
    app.dispatch(shop.MoveOrder("o-1", shop.Address("Bath")), occurred_at=month(month=4))
    app.dispatch(shop.OpenOrder("o-2", "Bob"))
    app.dispatch(shop.AddItem("o-2", "tea"))
    app.close()
