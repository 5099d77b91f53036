"""`eventfold projections`: what the read models are made of, how they stand, and making them anew."""

from typing import Any

import typer

from eventfold.application import Application
from eventfold.cli import parked, pausing
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_rows
from eventfold.cli.rebuild import build_partitions, rebuild_projection
from eventfold.cli.rollback import prune_projection, rollback_projection
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, builtin, number, word
from eventfold.cli.verify import verify_projection
from eventstore.event import event_type
from projections import status_of
from projections.target_name import names_of

TARGETS = Column("targets", needed=lambda row: row["targets"] != [row["projection"]])
LIST_COLUMNS = (
    word("projection"),
    number("version", "ver"),
    word("model"),
    word("key"),
    TARGETS,
    Column("consistency", "kept", whole=True, needed=lambda row: row["consistency"] == "inline"),
    Column("reads", needed=lambda row: row["reads"]),
    Column("events"),
)
_TARGET = Column("target", whole=True, needed=lambda row: row["target"] != row["projection"])
STATUS_COLUMNS = (
    word("projection"),
    _TARGET,
    word("state"),
    Column("consistency", "kept", whole=True, needed=lambda row: row["consistency"] == "inline"),
    Column("generation", "gen", right=True, whole=True, needed=lambda row: row["generation"] > 1),
    number("position"),
    number("lag"),
    Column("seconds_behind", "secs", right=True, whole=True, needed=lambda row: row["seconds_behind"] > 0),
    Column("rate", "per s", right=True, whole=True, needed=lambda row: row["lag"] > 0 or row["rebuilding_position"]),
    Column("parked", right=True, whole=True, needed=lambda row: row["parked"] > 0),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold projections list")(list_projections)
    command(group, "status", example="eventfold projections status --format json")(status)
    command(group, "rebuild", example="eventfold projections rebuild balances")(rebuild_projection)
    pausing.add_to(group)
    parked.add_to(group)
    command(group, "rollback", example="eventfold projections rollback balances")(rollback_projection)
    command(group, "verify", example="eventfold projections verify balances --sample 1000")(verify_projection)
    command(group, "prune", example="eventfold projections prune balances")(prune_projection)
    command(group, "build", example="eventfold projections rebuild balances --processes 2", hidden=True)(
        build_partitions
    )
    app.add_typer(group, name="projections", help="List, look after and rebuild read models.", rich_help_panel=panel)


def list_projections(session: Session) -> None:
    """List the projections as the code declares them. The database is not touched."""
    rows = [
        {
            "projection": each.projection.name,
            "version": each.projection.version,
            "model": each.projection.model.cls.__name__,
            "key": each.projection.model.key.name,
            "targets": names_of(each.projection.name, each.targets),
            "consistency": each.consistency,
            "reads": [stage.name for stage in each.projection.reads],
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
