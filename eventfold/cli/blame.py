"""`eventfold blame`: for each field of an aggregate, the event that last set it."""

from typing import Any

import typer

from eventfold.cli.moments import (
    AggregateArgument,
    AtOption,
    IdArgument,
    OccurredOption,
    PositionOption,
    VersionOption,
    bounds_of,
)
from eventfold.cli.output import show_rows
from eventfold.cli.session import Session, command
from eventfold.cli.steps import event_fields
from eventfold.cli.table import Column, number, word
from eventstore import Blamed

COLUMNS = (
    Column("field", style="bold"),
    Column("value"),
    number("version", "ver"),
    word("type", style="cyan"),
    word("occurred_at", "occurred (UTC)", style="dim"),
    Column("actor", "by", needed=lambda row: row["actor"] is not None),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "blame", example="eventfold blame Account a-1", rich_help_panel=panel)(blame)


def blame(
    session: Session,
    aggregate: AggregateArgument,
    stream_id: IdArgument,
    *,
    version: VersionOption = None,
    position: PositionOption = None,
    at: AtOption = None,
    occurred: OccurredOption = None,
) -> None:
    """Show for each field of an aggregate the event that last set it.

    That is the last event after which the value was another than before it; a field that still has its initial value has none.

    With --version, --position, --at or --occurred it asks about the state at that moment, as in `state`.
    """
    app = session.application
    cls = app.parts.aggregate(aggregate)
    found = app.blame(cls, stream_id, **bounds_of(version, position, at, occurred))
    show_rows([_row(each) for each in found], COLUMNS, session.format, empty="the state has no fields")


def _row(each: Blamed) -> dict[str, Any]:
    return {"field": each.field, "value": each.value} | event_fields(each.recorded)
