"""`eventfold outbox`: what is told to other services, and the relay that hands it to a broker."""

import asyncio
import logging
import sys
import time
from typing import Annotated, Any

import typer

from commands.outbox.outbox import Outbox
from commands.outbox.policy import DAY_SECONDS
from commands.outbox.relay import Relay
from commands.outbox.row import STATES, OutboxRow
from commands.outbox.slot import Slot
from eventfold.application import Application
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.paging import LimitOption
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import LOOK_SECONDS, signals_end
from eventfold.cli.table import Column, builtin, number, word
from eventfold.relay_follower import RelayFollower
from eventstore import NotFound, Unsupported
from eventstore.bounds import check_number
from eventstore.recorded import to_datetime
from eventstore.sql_database import SqlDatabase

logger = logging.getLogger("eventfold.outbox")

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
BrokerOption = Annotated[
    str | None, typer.Option("--broker", metavar="URL", help="In place of the broker that the application names.")
]
MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="The id of the message, or its number.")]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold outbox list --state parked")(list_messages)
    command(group, "show", example="eventfold outbox show 0192f0c1-7a2b-7000-8000-000000000001")(show_message)
    command(group, "status", example="eventfold outbox status")(show_status)
    command(group, "relay", example="eventfold outbox relay --once")(relay)
    command(group, "stream", example="eventfold outbox stream")(stream)
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
    outbox = session.outbox
    rows = outbox.messages(state=state, channel=channel, key=key, after=after, limit=limit or None)
    show_rows([_row(each) for each in rows], COLUMNS, session.format, empty="no messages")


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
    outbox = session.outbox
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
    show_record(record, session.format)


def relay(
    session: Session,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when all that can be sent now is sent.")] = False,
    broker: BrokerOption = None,
) -> None:
    """Hand messages to the broker until SIGTERM or Ctrl-C.

    These end it after the batch in hand, with exit code 0. Any number of relays may run at once, on any number of machines: each
    key keeps its order.
    """
    app = _with_broker(session, broker)
    if once:
        show_record({"sent": relay_once(app)}, session.format)
    else:
        _serve(app, streamed=False)


def stream(session: Session, *, broker: BrokerOption = None) -> None:
    """Hand messages to the broker as PostgreSQL's write-ahead log says that they were committed, until SIGTERM or Ctrl-C.

    It keeps a replication slot, so nothing is missed while it is not running; the server keeps its log until then. One at a time
    is at work, and others wait for their turn. `eventfold outbox status` says how much the slot holds back.
    """
    app = _with_broker(session, broker)
    Slot(_postgresql(app)).make()
    _serve(app, streamed=True)


def _with_broker(session: Session, broker: str | None) -> Application:
    app = session.application
    if broker is not None:
        app.parts.broker = broker
    if app.parts.broker is None:
        usage_error("the application names no broker: give --broker, or Application(broker=...)")
    warn_of_memory(app.parts.broker)
    return app


def warn_of_memory(broker: object) -> None:
    """What is handed to a broker in memory is gone with this process."""
    if isinstance(broker, str) and broker.startswith("memory:"):
        warn(f"{broker} is in this process's memory alone: what is handed to it, nobody else hears")


def _postgresql(app: Application) -> SqlDatabase:
    database = app.store.backend.sql
    if database is None or database.dialect != "postgresql":
        raise Unsupported(
            f"{app.store.backend.description}: only PostgreSQL says what is committed; run `eventfold outbox relay`"
        )
    return database


def relay_once(app: Application) -> int:
    """Hands over what can be handed over now; how many messages that were.

    Raises:
        BrokerUnavailable: the broker is away.
    """
    return asyncio.run(_relay_once(app))


async def _relay_once(app: Application) -> int:
    broker = app.parts.open_broker()
    try:
        return await Relay(app.outbox, broker, app.parts.relay).run_once()
    finally:
        await broker.close()


def _serve(app: Application, *, streamed: bool) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    assert app.outbox is not None  # noqa: S101 - opens it, so that a database that cannot be used ends it at once
    follower = RelayFollower(app.parts, streamed=streamed)
    with signals_end() as ended:
        follower.start()
        logger.info("handing the messages of %s over", app.name)
        try:
            while not ended():
                time.sleep(LOOK_SECONDS)
            logger.info("stopping after the batch in hand")
        finally:
            follower.stop()
    logger.info("stopped, %d messages sent", follower.sent)


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


def discard(session: Session, message_id: MessageArgument) -> None:
    """Give a parked message up: it is never sent. What is parked only because it follows it is sent."""
    show_record(_row(session.outbox.discard(_id_of(session.outbox, message_id))), session.format)


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
