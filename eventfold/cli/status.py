"""`eventfold status`: how the log, its readers, and what goes to other services, comes from them and comes later stand."""

from typing import Any

import typer

from commands.inbox.group import groups_of
from commands.inbox.messages import InboxStatus
from eventfold.application import Application
from eventfold.cli import outbox
from eventfold.cli.output import show_record
from eventfold.cli.projections import STATUS_COLUMNS, status_rows
from eventfold.cli.reactions import STATUS_COLUMNS as REACTION_COLUMNS
from eventfold.cli.reactions import reaction_rows
from eventfold.cli.session import Session, command, warn
from eventfold.cli.table import Column, builtin, number, word
from eventstore.recorded import to_datetime

STALLED_COLUMNS = (number("pid"), number("seconds"), number("position", "holds back"), word("state"))
OUTBOX_COLUMNS = (
    number("pending"),
    Column("waiting", "retrying", right=True, whole=True, needed=lambda row: row["waiting"] > 0),
    number("parked"),
    number("sent"),
    word("oldest_at", "oldest (UTC)"),
    Column("slot", needed=lambda row: "slot" in row),
    Column("broker_error", "broker error", style="red", below=True, needed=lambda row: row["broker_error"] is not None),
)
INBOX_COLUMNS = (
    word("group"),
    word("channel"),
    number("partitions"),
    number("read_now", "read now"),
    word("moved_at", "moved (UTC)"),
    number("aside"),
    number("parked"),
)
SCHEDULED_COLUMNS = (number("waiting"), number("due"), number("failed"), word("next_at", "next (UTC)"))


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "status", example="eventfold status --format json", rich_help_panel=panel)(status)


def status(session: Session) -> None:
    """Show how all that the application is made of stands.

    That is the database, the log's head, the projections and reactions with their lag; of an application that has them, the outbox,
    the inbox and the scheduled commands; and stalled appends, which hold readers back, by the process that holds them open. It
    never migrates: where migrations are pending it names them, and looks at nothing that needs them.
    """
    app = session.application
    pending = app.parts.pending_migrations()
    with app.parts.open_unchecked() as store:
        record: dict[str, Any] = {"application": app.name, "database": store.backend.description}
    record |= {"pending_migrations": pending, "events": None, "head": None, "projections": []}
    record |= {"reactions": [], "outbox": None, "inbox": [], "scheduled": None, "stalled_appends": []}
    if pending:
        warn("migrations are pending: run `eventfold migrate`")
        if not any(name.startswith("eventstore/") for name in pending):  # the log itself is there
            with app.parts.open_unchecked() as store:
                record |= {"events": store.backend.count(), "head": store.head()}
    else:
        record |= _stand_of(app)
    tables = {
        "projections": STATUS_COLUMNS,
        "reactions": REACTION_COLUMNS,
        "outbox": OUTBOX_COLUMNS,
        "inbox": INBOX_COLUMNS,
        "scheduled": SCHEDULED_COLUMNS,
        "stalled_appends": STALLED_COLUMNS,
    }
    show_record(record, session.format, tables)


def _stand_of(app: Application) -> dict[str, Any]:
    return {
        "events": app.store.backend.count(),
        "head": app.store.head(),
        "projections": status_rows(app),
        "reactions": reaction_rows(app),
        "outbox": _outbox(app),
        "inbox": _inbox(app),
        "scheduled": _scheduled(app),
        "stalled_appends": [builtin(each) for each in app.store.stalled_appends()],
    }


def _outbox(app: Application) -> dict[str, Any] | None:
    """None where nothing is told to others: a consumer, a handler or a reaction may do so as well as `publish=`."""
    found = outbox.status_of(app.outbox)
    told = app.parts.publish or found["pending"] or found["parked"] or found["sent"]
    return found if told else None


def _inbox(app: Application) -> list[dict[str, Any]]:
    """A row for each channel that a group reads; `eventfold inbox status` has one for each of its partitions."""
    readings = [each.reading for each in groups_of(app.parts.consumers)]
    found: dict[tuple[str, str], list[InboxStatus]] = {(each.group, each.channel): [] for each in readings}
    for status in app.inbox.status():
        found.setdefault((status.group, status.channel), []).append(status)
    return [
        {
            "group": group,
            "channel": channel,
            "partitions": len(lanes),
            "read_now": sum(each.reader is not None for each in lanes),
            "moved_at": max((each.moved_at for each in lanes if each.moved_at is not None), default=None),
            "aside": sum(each.aside for each in lanes),
            "parked": sum(each.parked for each in lanes),
        }
        for (group, channel), lanes in found.items()
    ]


def _scheduled(app: Application) -> dict[str, Any] | None:
    """None where nothing is."""
    counts = app.parts.schedules.counts()
    if not (app.parts.declared_schedules or counts.waiting or counts.failed):
        return None
    next_at = None if counts.next_us is None else to_datetime(counts.next_us)
    return {"waiting": counts.waiting, "due": counts.due, "failed": counts.failed, "next_at": next_at}
