"""`eventfold types`: which event types the log holds, and how the application reads them."""

from typing import Any

import typer

from eventfold.cli.output import show_rows
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, number
from eventfold.stored_types import how_read
from eventstore.recorded import to_datetime

COLUMNS = (
    Column("type", style="cyan"),
    number("schema"),
    number("events"),
    Column("read"),
    Column("first_recorded_at", "first (UTC)", style="dim"),
    Column("last_recorded_at", "last (UTC)", style="dim"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "types", example="eventfold types --format csv", rich_help_panel=panel)(types)


def types(session: Session) -> None:
    """List the event types that the log holds.

    A line for each stored name and schema version, with how many events there are and how the application reads them: as the
    present version, through an upcaster or an alias, or not at all because the type is retired, unknown, newer than this code,
    or older than its upcasters reach.
    """
    parts = session.application.parts
    read = how_read(parts)
    rows = (_row(each, read(each.type, each.schema)) for each in session.application.store.stored_types())
    show_rows(rows, COLUMNS, session.format, empty="no events")


def _row(each: Any, read: str) -> dict[str, Any]:
    return {
        "type": each.type,
        "schema": each.schema,
        "events": each.events,
        "read": read,
        "first_position": each.first_position,
        "first_recorded_at": to_datetime(each.first_recorded_us),
        "last_position": each.last_position,
        "last_recorded_at": to_datetime(each.last_recorded_us),
    }
