"""`eventfold projections rollback` and `prune`: the rows before the last rebuild."""

from typing import Annotated

import typer

from eventfold.cli.completion import projection_names
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, usage_error
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, number, word
from projections import prune, rollback, status_of

_TARGET = Column("target", whole=True, needed=lambda row: row["target"] != row["projection"])
ROLLBACK_COLUMNS = (word("projection"), _TARGET, number("generation", "gen"), number("events"))
PRUNE_COLUMNS = (word("projection"), _TARGET, Column("dropped"))


def rollback_projection(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names)],
) -> None:
    """Go back to the rows before the last rebuild.

    They catch up with the log first, beside those that queries see, and then take their place at once. Rows of another version
    of the code are refused: roll the code back first.
    """
    app, rows = session.application, []
    with signals_interrupt():
        for track in app.engine.find(name):
            with bar(f"roll back {track.name}") as shown:
                events = rollback(app.store, track, on_progress=lambda at: shown.move(at.position, at.head, at.events))
            generation = status_of(app.store, track).generation
            rows.append({"projection": name, "target": track.name, "generation": generation, "events": events})
    show_rows(rows, ROLLBACK_COLUMNS, session.format)


def prune_projection(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Of all of them.")] = False,
) -> None:
    """Drop the rows before the last rebuild. There is no rollback after that."""
    if every == (name is not None):
        usage_error("name one projection, or give --all")
    app = session.application
    tracks = app.engine.tracks if name is None else app.engine.find(name)
    rows = [{"projection": each.projection.name, "target": each.name, "dropped": prune(each)} for each in tracks]
    show_rows(rows, PRUNE_COLUMNS, session.format, empty="the application has no projections")
