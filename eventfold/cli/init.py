"""`eventfold init`: a small project that runs."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from eventfold.cli.help import PlainCommand
from eventfold.cli.output import console
from eventfold.cli.session import usage_error, warn

FILES = ("pyproject.toml", "app.py", "test_app.py")

_NEXT_STEPS = """\
Made {files} in {folder}: a bank account, its commands and a read model.

Next:
{enter}  eventfold check
  eventfold dispatch Deposit account_id=a-1 amount=100
  eventfold dispatch Withdraw account_id=a-1 amount=30
  eventfold query Balance --fresh
  eventfold state Account a-1 --diff 1..2
  python -m pytest  # after: pip install pytest"""


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(
        "init",
        cls=PlainCommand,
        rich_help_panel=panel,
        epilog="[bold]Example:[/bold]  eventfold init bank",
        no_args_is_help=False,
    )(init)


def init(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="Where to make it; by default in the folder you are in.", show_default=False
        ),
    ] = ".",
) -> None:
    """Make a small project that runs.

    It has an application, a test, and a pyproject.toml that names the application. Nothing is overwritten.
    """
    folder = Path(name)
    existing = [file for file in FILES if (folder / file).exists()]
    if existing:
        warn(
            f"error: {folder.resolve()} has {', '.join(existing)} already; nothing was written. Name another folder.",
            style="red",
        )
        raise typer.Exit(1)
    if folder.exists() and not folder.is_dir():
        usage_error(f"{name}: expected a folder, and this is a file")
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        text = (files("eventfold.cli") / "template" / f"{file}.txt").read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("{name}", _project_name(folder)), encoding="utf-8")
    enter = "" if folder.resolve() == Path.cwd() else f"  cd {name}\n"
    console().print(
        escape(_NEXT_STEPS.format(files=", ".join(FILES), folder=folder.resolve(), enter=enter)), soft_wrap=True
    )


def _project_name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "project"
