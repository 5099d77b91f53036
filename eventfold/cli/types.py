"""`eventfold types`: which event types the log holds, and how the application reads them."""

from datetime import UTC, datetime
from typing import Any

import typer

from eventfold.cli.output import Format, show_rows
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, number, word
from eventfold.stored_types import how_read, what_read
from eventstore.recorded import to_datetime

COLUMNS = (
    Column("type", style="cyan"),
    number("schema"),
    number("events"),
    word("read"),
    Column("reads_as", "as", needed=lambda row: row["read"] in {"upcast", "alias"}),
    word("first_day", "first day", style="dim"),
    word("last_day", "last day", style="dim"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "types", example="eventfold types --format csv", rich_help_panel=panel)(types)


def types(session: Session) -> None:
    """List the event types that the log holds.

    A line for each stored name and schema version, with how many events there are and how the application reads them: as the
    present version, through an upcaster or an alias, or not at all because the type is retired, unknown, newer than this code,
    or older than its upcasters reach. A table shows days; the other formats have instants and positions.
    """
    parts = session.application.parts
    read, read_as = how_read(parts), what_read(parts)
    rows = [
        _row(each, read(each.type, each.schema), read_as(each.type, each.schema))
        for each in session.application.store.stored_types()
    ]
    if session.format is Format.TABLE:
        rows = [
            row | {"first_day": _day(row["first_recorded_at"]), "last_day": _day(row["last_recorded_at"])}
            for row in rows
        ]
    show_rows(rows, COLUMNS, session.format, empty="no events")


def _day(instant: datetime) -> str:
    return instant.astimezone(UTC).date().isoformat()


def _row(each: Any, read: str, reads_as: list[str]) -> dict[str, Any]:
    return {
        "type": each.type,
        "schema": each.schema,
        "events": each.events,
        "read": read,
        "reads_as": reads_as,
        "first_position": each.first_position,
        "first_recorded_at": to_datetime(each.first_recorded_us),
        "last_position": each.last_position,
        "last_recorded_at": to_datetime(each.last_recorded_us),
    }
