"""`eventfold schedule`: commands that are dispatched later."""

from typing import Annotated, Any, NoReturn

import msgspec
import typer

from commands import Scheduled
from commands.schedule.schedules import ALL
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record
from eventfold.cli.paging import LimitOption, show_page, with_one_more
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import Column, number, word
from eventfold.fire import fire_due, fire_now
from eventfold.parts import Parts
from eventstore.recorded import to_datetime

STATES = ("waiting", "done", "failed", "cancelled")
ENDED = ("done", "cancelled")
COLUMNS = (
    word("id"),
    Column("name", whole=True, needed=lambda row: row["name"] is not None),
    word("command", style="cyan"),
    word("state"),
    word("due_at", "due (UTC)"),
    Column("recurs", needed=lambda row: row["recurs"] is not None),
    number("fired"),
    Column("attempts", right=True, whole=True, needed=lambda row: row["attempts"] > 0),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
WhichArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, or its name.", show_default=False)]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold schedule list --state failed")(list_scheduled)
    command(group, "show", example="eventfold schedule show nightly")(show)
    command(group, "cancel", example="eventfold schedule cancel nightly")(cancel)
    command(group, "run", example="eventfold schedule run nightly")(run)
    app.add_typer(group, name="schedule", help="Look after commands that are dispatched later.", rich_help_panel=panel)


def list_scheduled(
    session: Session,
    *,
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help=f"Only {', '.join(STATES)}; repeatable.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Only those due after this one; where it recurs and fires meanwhile, some are left out.",
            show_default=False,
        ),
    ] = None,
    limit: LimitOption = 100,
) -> None:
    """List scheduled commands, by when they are due.

    Of those that wait, the state says more: `in hand` of a worker, `retrying` after a failure, `unhandled` where this application
    has no handler for the command, and `undeclared` where it does not stand in its code. The last two are left to others.
    """
    if unknown := [each for each in state or [] if each not in STATES]:
        usage_error(f"--state: expected one of {', '.join(STATES)}, got {unknown[0]!r}")
    parts = session.application.parts
    last = None if after is None else parts.schedules.get(after)
    found = parts.schedules.table.page(state or STATES, with_one_more(limit) or ALL, last)
    show_page(
        (_row(parts, each) for each in found),
        COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--after {last['id']}",
        empty="nothing is scheduled",
    )


def show(session: Session, which: WhichArgument) -> None:
    """Show a scheduled command with its fields, and how it went."""
    parts = session.application.parts
    show_record(_record(parts, parts.schedules.get(which)), session.format)


def cancel(session: Session, which: WhichArgument) -> None:
    """Cancel a scheduled command, so that it is never done; or put one away that has failed.

    One that stands in the application's code stays cancelled until it is declared otherwise. Where it was done already, or
    cancelled before, this ends with exit code 1.
    """
    parts = session.application.parts
    cancelled = parts.schedules.cancel(which)
    row = parts.schedules.get(which)
    show_record(_record(parts, row), session.format)
    if not cancelled:
        _refuse(which, row)


def run(
    session: Session,
    which: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One, whenever it is due; by default all that are.")
    ] = None,
) -> None:
    """Dispatch now, in this process: one, or all that are due.

    One that has failed is tried again. One that recurs stays due when it was. Workers need not be stopped. It ends with exit code 1
    where the one was refused, is done already, or is cancelled.
    """
    parts = session.application.parts
    if which is None:
        show_record({"dispatched": fire_due(parts)}, session.format)
        return
    before = parts.schedules.get(which)
    row = before if before.state in ENDED else fire_now(parts, which)
    show_record(_record(parts, row), session.format)
    if before.state in ENDED:
        _refuse(which, before)
    if row.error is not None:
        raise typer.Exit(1)


def _refuse(which: str, row: Scheduled) -> NoReturn:
    warn(f"{which} is {row.state}; nothing was done", style="red")
    raise typer.Exit(1)


def _row(parts: Parts, row: Scheduled) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "command": row.command,
        "state": _state(parts, row),
        "due_at": row.due_at,
        "recurs": None if row.recurrence is None else str(row.recurrence),
        "fired": row.fired,
        "attempts": row.attempts,
        "error": row.error,
    }


def _record(parts: Parts, row: Scheduled) -> dict[str, Any]:
    carried = {name: value for name, value in msgspec.to_builtins(row.carried).items() if value is not None}
    more = {
        "data": msgspec.json.decode(row.data),
        "carried": carried,
        "missed": None if row.recurrence is None else row.missed,
        "declared": row.declared,
        "owner": row.owner,
        "made_at": to_datetime(row.made_us),
        "next_look_at": to_datetime(row.look_us) if row.state == "waiting" else None,
        "ended_at": None if row.ended_us is None else to_datetime(row.ended_us),
    }
    return _row(parts, row) | more


def _state(parts: Parts, row: Scheduled) -> str:
    if row.state != "waiting":
        return row.state
    if row.command not in parts.commands:
        return "unhandled"
    if row.declared and row.name not in {each.name for each in parts.declared_schedules}:
        return "undeclared"
    if row.owner is not None and row.look_us > parts.schedules.clock():
        return "in hand"
    return "retrying" if row.attempts else "waiting"
