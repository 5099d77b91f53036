"""`eventfold outbox`: what is told to other services."""

from typing import Annotated, Any

import typer

from commands.outbox.outbox import Outbox
from commands.outbox.policy import DAY_SECONDS
from commands.outbox.row import PARKED, STATES, OutboxRow
from commands.outbox.slot import Slot
from eventfold.cli import relay
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.paging import LimitOption, show_page, with_one_more
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, builtin, number, word
from eventstore import NotFound
from eventstore.bounds import check_number
from eventstore.recorded import to_datetime

COLUMNS = (
    number("number"),
    word("message_id", "message id"),
    word("channel", style="cyan"),
    Column("key"),
    word("type"),
    word("state"),
    number("attempts"),
    word("created_at", "created (UTC)"),
    Column("error", below=True, needed=lambda row: bool(row["error"])),
)
MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="The id of the message, or its number.")]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold outbox list --state parked")(list_messages)
    command(group, "show", example="eventfold outbox show 0192f0c1-7a2b-7000-8000-000000000001")(show_message)
    command(group, "status", example="eventfold outbox status")(show_status)
    relay.add_to(group)
    command(group, "retry", example="eventfold outbox retry 0192f0c1-7a2b-7000-8000-000000000001")(retry)
    command(group, "discard", example="eventfold outbox discard 0192f0c1-7a2b-7000-8000-000000000001")(discard)
    command(group, "prune", example="eventfold outbox prune --older-than-hours 1")(prune)
    app.add_typer(group, name="outbox", help="Look after what is told to other services.", rich_help_panel=panel)


def list_messages(
    session: Session,
    *,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"Only those that are {', '.join(STATES)}.")
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this channel.")] = None,
    key: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those of this key.")] = None,
    after: Annotated[int, typer.Option(metavar="NUMBER", help="Only those with a higher number.")] = 0,
    limit: LimitOption = 100,
) -> None:
    """List messages in the order in which they were added."""
    rows = session.outbox.messages(state=state, channel=channel, key=key, after=after, limit=with_one_more(limit))
    show_page(
        [_row(each) for each in rows],
        COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--after {last['number']}",
        empty="no messages",
    )


def show_message(session: Session, message_id: MessageArgument) -> None:
    """Show a message with what it says."""
    found = session.outbox.message(_id_of(session.outbox, message_id))
    event = found.event
    about = {"source": event.source, "subject": event.subject, "schema": event.schema, "headers": event.headers}
    times = {
        "time": to_datetime(event.time_us),
        "next_try_at": to_datetime(found.next_try_us) if found.next_try_us else None,
        "parked_at": None if found.parked_us is None else to_datetime(found.parked_us),
        "sent_at": None if found.sent_us is None else to_datetime(found.sent_us),
    }
    show_record(_row(found) | about | times | {"data": event.data.decode()}, session.format)


def show_status(session: Session) -> None:
    """Show how many messages wait, are parked and were sent, and whether the broker takes them."""
    show_record(status_of(session.outbox), session.format)


def status_of(outbox: Outbox) -> dict[str, Any]:
    """How it does."""
    counts = outbox.status()
    record: dict[str, Any] = {
        "pending": counts.pending,
        "waiting": counts.waiting,
        "parked": counts.parked,
        "sent": counts.sent,
        "oldest_at": None if counts.oldest_us is None else to_datetime(counts.oldest_us),
        "broker_error": counts.broker_error,
        "broker_error_at": None if counts.broker_error_us is None else to_datetime(counts.broker_error_us),
    }
    database = outbox.store.backend.sql
    slot = None if database is None else Slot(database).status()
    if slot is not None:
        record["slot"] = builtin(slot)
    return record


def retry(
    session: Session,
    message_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="MESSAGE_ID", help="Of parked messages, or their numbers; by default all."),
    ] = None,
) -> None:
    """Let parked messages be sent, each with those that are parked only because they follow it."""
    show_record(
        {"released": session.outbox.retry(*[_id_of(session.outbox, each) for each in message_ids or ()])},
        session.format,
    )


def discard(
    session: Session,
    message_ids: Annotated[
        list[str], typer.Argument(metavar="MESSAGE_ID...", help="Of parked messages, or their numbers.")
    ],
) -> None:
    """Give parked messages up: they are never sent. What is parked only because it follows them is sent."""
    outbox = session.outbox
    found = {row.seq: row for row in (outbox.message(_id_of(outbox, each)) for each in message_ids)}
    # One that is not parked is refused before any other is gone; what follows another is given up while it is parked for it.
    ordered = sorted(found.values(), key=lambda row: (row.state == PARKED, -row.seq))
    discarded = [outbox.discard(each.event.id) for each in ordered]
    show_rows([_row(each) for each in reversed(discarded)], COLUMNS, session.format)


def prune(
    session: Session,
    *,
    older_than_hours: Annotated[
        float, typer.Option("--older-than-hours", min=0, metavar="HOURS", help="Only those sent longer ago.")
    ] = DAY_SECONDS / 3600,
) -> None:
    """Forget messages that were sent. A relay does so by itself."""
    show_record({"pruned": session.outbox.prune(older_than_hours * 3600)}, session.format)


def _id_of(outbox: Outbox, given: str) -> str:
    """The id of a message that is named by it, or by its number."""
    if not given.isdecimal():
        return given
    number = check_number("number", int(given), least=1)
    for row in outbox.messages(after=number - 1, limit=1):
        if row.seq == number:
            return row.event.id
    raise NotFound(
        f"the outbox has no message of the number {given}. `eventfold outbox list` shows the messages there are."
    )


def _row(row: OutboxRow) -> dict[str, Any]:
    return {
        "number": row.seq,
        "message_id": row.event.id,
        "channel": row.event.channel,
        "key": row.event.key,
        "type": row.event.type,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "error": row.error,
    }
