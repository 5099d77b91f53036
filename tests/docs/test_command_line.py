"""The page of the command line knows every command."""

import typer

from eventfold.cli.root import app
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference/cli.md").read_text(encoding="utf-8")


def test_every_command_stands_on_the_page() -> None:
    group = typer.main.get_command(app)
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]

    missing = [name for name in group.commands if not any(f"`{name} " in row or f"`{name}`" in row for row in rows)]  # type: ignore[attr-defined]  # a group, as Typer makes it

    assert missing == []
