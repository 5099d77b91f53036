"""`eventfold bisect`: the first event after which a condition holds."""

from typing import Annotated

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
from eventfold.cli.output import Format, put, show_record
from eventfold.cli.session import Session, command
from eventfold.cli.steps import step_block, step_row
from eventfold.cli.table import builtin
from eventstore import NotFound


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "bisect", example='eventfold bisect Account a-1 "state.balance < 0"', rich_help_panel=panel)(bisect)


def bisect(
    session: Session,
    aggregate: AggregateArgument,
    stream_id: IdArgument,
    condition: Annotated[str, typer.Argument(metavar="CONDITION", help="Over `state`.", show_default=False)],
    *,
    version: VersionOption = None,
    position: PositionOption = None,
    at: AtOption = None,
    occurred: OccurredOption = None,
) -> None:
    """Show the first event after which a condition holds, whatever it does later.

    CONDITION is in CEL, https://cel.dev: state.balance < 0, size(state.items) > 3 && state.owner == "Ada",
    state.items.exists(item, item.cents > 500), state.address != null && state.address.city == "Bath".

    Every event is looked at, the oldest first. Exits with 1 where the condition holds after none.
    """
    app = session.application
    cls = app.parts.aggregate(aggregate)
    found = app.bisect(cls, stream_id, condition, **bounds_of(version, position, at, occurred))
    if found is None:
        raise NotFound(f"{cls.__name__} {stream_id}: {condition} holds after none of its events")
    if session.format is Format.TABLE:
        put(step_block(found))
    else:
        show_record(step_row(found) | {"state": builtin(found.state)}, session.format)
