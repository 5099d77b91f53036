"""The command `eventfold`: its nouns, in the order in which they are needed."""

import logging
from typing import Annotated

import typer

from eventfold import __version__
from eventfold.cli import (
    bisect,
    blame,
    causes,
    check,
    commands,
    diff,
    dispatch,
    effects,
    events,
    history,
    idempotency,
    inbox,
    init,
    log,
    migrate,
    outbox,
    projections,
    publish,
    query,
    reactions,
    schedule,
    schema,
    search,
    snapshots,
    state,
    status,
    streams,
    types,
    views,
    worker,
)
from eventfold.cli.help import PlainGroup
from eventfold.cli.session import AppOption, DatabaseOption, DebugOption, FormatOption

app = typer.Typer(
    name="eventfold",
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _noun in (init, check, migrate, status):
    _noun.add_to(app, "Set up")
for _noun in (commands, dispatch, streams, events, query, search):
    _noun.add_to(app, "Write and read")
for _noun in (state, history, blame, bisect, causes, effects, diff):
    _noun.add_to(app, "Ask the history")
for _noun in (types, schema):
    _noun.add_to(app, "Events over the years")
for _noun in (projections, views, reactions, snapshots, worker):
    _noun.add_to(app, "Read models")
for _noun in (schedule, idempotency, inbox, outbox, publish):
    _noun.add_to(app, "Write and read")
log.add_to(app, "Move")


def _print_version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag
    if asked:
        typer.echo(f"eventfold {__version__}")
        raise typer.Exit


@app.callback(
    epilog="The application is named by --app, by EVENTFOLD_APP, or by [bold]app[/bold] under \\[tool.eventfold] in "
    "pyproject.toml; its database may be replaced by --database or EVENTFOLD_DATABASE."
)
def _root(
    ctx: typer.Context,
    *,
    app: AppOption = None,
    database: DatabaseOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    debug: DebugOption = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version.", show_default=False
        ),
    ] = False,
) -> None:
    """Event sourcing and CQRS: commands, the log, and the read models of an application."""
    ctx.obj = {"app": app, "database": database, "format": format, "debug": debug}


def run() -> None:
    """Runs the command line.

    A command says itself what went wrong: what is logged beside that shows only where a command, or the application, asks for it.
    """
    for room in ("commands.inbox", "commands.outbox", "projections"):
        logging.getLogger(room).addHandler(logging.NullHandler())
    app(prog_name="eventfold")
