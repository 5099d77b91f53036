"""`eventfold projections`: what the read models are made of, how they stand, and making them anew."""

import time
from typing import Annotated, Any

import typer

from eventfold.application import Application
from eventfold.cli import parked, pausing
from eventfold.cli.completion import projection_names
from eventfold.cli.help import PlainGroup
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, builtin, number, word
from eventstore.event import event_type
from projections import rebuild, status_of
from projections.track import Track

TARGETS = Column("targets", needed=lambda row: row["targets"] != [row["projection"]])
LIST_COLUMNS = (
    word("projection"),
    number("version", "ver"),
    word("model"),
    word("key"),
    TARGETS,
    Column("events"),
)
_TARGET = Column("target", whole=True, needed=lambda row: row["target"] != row["projection"])
STATUS_COLUMNS = (
    word("projection"),
    _TARGET,
    word("state"),
    Column("generation", "gen", right=True, whole=True, needed=lambda row: row["generation"] > 1),
    number("position"),
    number("lag"),
    Column("seconds_behind", "secs", right=True, whole=True, needed=lambda row: row["seconds_behind"] > 0),
    Column("rate", "per s", right=True, whole=True, needed=lambda row: row["lag"] > 0 or row["rebuilding_position"]),
    Column("parked", right=True, whole=True, needed=lambda row: row["parked"] > 0),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
REBUILD_COLUMNS = (
    word("projection"),
    _TARGET,
    number("generation", "gen"),
    number("events"),
    number("seconds"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = typer.Typer(cls=PlainGroup, no_args_is_help=True)
    command(group, "list", example="eventfold projections list")(list_projections)
    command(group, "status", example="eventfold projections status --format json")(status)
    command(group, "rebuild", example="eventfold projections rebuild balances")(rebuild_projection)
    pausing.add_to(group)
    parked.add_to(group)
    app.add_typer(group, name="projections", help="List, look after and rebuild read models.", rich_help_panel=panel)


def list_projections(session: Session) -> None:
    """List the projections as the code declares them. The database is not touched."""
    rows = [
        {
            "projection": each.projection.name,
            "version": each.projection.version,
            "model": each.projection.model.cls.__name__,
            "key": each.projection.model.key.name,
            "targets": [target.name for target in each.targets],
            "events": [event_type(cls) for cls in each.projection.events],
        }
        for each in session.application.parts.projections
    ]
    show_rows(rows, LIST_COLUMNS, session.format, empty="the application has no projections")


def status(session: Session) -> None:
    """Show where each projection stands, and how far behind the log that is."""
    show_rows(
        status_rows(session.application),
        STATUS_COLUMNS,
        session.format,
        empty="the application has no projections",
    )


def status_rows(app: Application) -> list[dict[str, Any]]:
    """The status of every projection in each of its targets."""
    return [builtin(status_of(app.store, track)) for track in app.engine.tracks]


def rebuild_projection(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them, one after the other.")] = False,
) -> None:
    """Fold the whole log anew.

    It builds new rows beside those that queries see, and puts them in their place at once when they have caught up.
    Ctrl-C ends it with exit code 1; the next time it goes on from there.
    """
    if every == (name is not None):
        usage_error("name one projection, or give --all")
    app = session.application
    tracks = app.engine.tracks if name is None else app.engine.find(name)
    with signals_interrupt():
        rows = [_rebuild(app, track) for track in tracks]
    show_rows(rows, REBUILD_COLUMNS, session.format, empty="the application has no projections")


def _rebuild(app: Application, track: Track) -> dict[str, Any]:
    try:
        return rebuild_with_bar(app, track)
    except KeyboardInterrupt:
        status = status_of(app.store, track)
        warn(
            f"interrupted at position {status.rebuilding_position or 0}; the rows in use are as they were. "
            f"`eventfold projections rebuild {status.projection}` goes on from there."
        )
        raise typer.Exit(1) from None


def rebuild_with_bar(app: Application, track: Track) -> dict[str, Any]:
    """Rebuilds one projection in one target, and says what that took."""
    started = time.monotonic()
    begun = status_of(app.store, track).rebuilding_position or 0
    title = track.name if track.name == track.projection.name else f"{track.projection.name} in {track.name}"
    with bar(f"rebuild {title}", begun) as shown:
        events = rebuild(app.store, track, on_progress=lambda at: shown.move(at.position, at.head, at.events))
    return {
        "projection": track.projection.name,
        "target": track.name,
        "generation": status_of(app.store, track).generation,
        "events": events,
        "seconds": round(time.monotonic() - started, 3),
    }
