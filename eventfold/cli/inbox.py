"""`eventfold inbox`: messages of other services."""

import logging
import sys
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import asdict

from commands.inbox.inbox import Inbox
from commands.inbox.messages import InboxMessage
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.paging import LimitOption, show_page, with_one_more
from eventfold.cli.session import Session, command, warn
from eventfold.cli.signals import signals_call, signals_end
from eventfold.cli.table import Column, builtin, number, word

logger = logging.getLogger("eventfold.inbox")

_ERROR = Column("error", style="red", below=True, needed=lambda row: row["error"] is not None)
LIST_COLUMNS = (
    number("number"),
    word("group"),
    word("state"),
    word("channel"),
    word("type", style="cyan"),
    Column("key"),
    number("attempts"),
    number("followers", "behind"),
    Column("next_try", "next try (UTC)", whole=True, needed=lambda row: row["next_try"] is not None),
    _ERROR,
)
FOLLOWER_COLUMNS = (
    number("number"),
    word("type", style="cyan"),
    word("id"),
    word("position"),
    word("kept_at", "since (UTC)"),
)
RETRY_COLUMNS = (
    number("number"),
    word("group"),
    word("channel"),
    Column("key"),
    number("handled"),
    number("left"),
    _ERROR,
)
STATUS_COLUMNS = (
    word("group"),
    word("channel"),
    number("partition"),
    word("position"),
    word("moved_at", "moved (UTC)"),
    number("aside"),
    number("parked"),
    Column("reader"),
)
NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="Of the message.", show_default=False)]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "consume", example="eventfold inbox consume")(consume)
    command(group, "status", example="eventfold inbox status --format json")(status)
    command(group, "list", example="eventfold inbox list --limit 20")(list_messages)
    command(group, "show", example="eventfold inbox show 17")(show)
    command(group, "retry", example="eventfold inbox retry 17")(retry)
    command(group, "discard", example="eventfold inbox discard 17 --followers")(discard)
    command(group, "prune", example="eventfold inbox prune")(prune)
    app.add_typer(group, name="inbox", help="Consume and look after messages of other services.", rich_help_panel=panel)


def consume(
    session: Session,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that the broker has now is handled, or set aside.")
    ] = False,
) -> None:
    """Consume messages until SIGTERM or Ctrl-C, which end it after those in hand, with exit code 0.

    Any number of processes may do so at once, on any number of machines: they share the partitions among themselves. A worker does
    it, too, beside its other work. With --once, retries that are due are included, what other processes read is left to them, and
    it ends with exit code 1 where messages are set aside.
    """
    if once:
        worker = session.inbox.worker()
        with signals_call(worker.end):
            worker.run_once()
        status(session)
        if warn_of_aside(session.inbox):
            raise typer.Exit(1)
        return
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with signals_end() as ended:  # before the application is imported, which takes a while
        worker = session.inbox.worker()
        with signals_call(worker.end):
            logger.info("consuming for %s", worker.description)
            if not ended():
                worker.run()
    logger.info("stopped")


def warn_of_aside(inbox: Inbox) -> int:
    """How many messages are set aside; says so if any are."""
    aside = sum(each.aside for each in inbox.status())
    if aside:
        warn(f"{aside:,} message{'' if aside == 1 else 's'} set aside: `eventfold inbox list` shows what is wrong")
    return aside


def status(session: Session) -> None:
    """Show how far each partition of each channel is read, and what is set aside."""
    rows = [asdict(each) for each in session.inbox.status()]
    show_rows(rows, STATUS_COLUMNS, session.format, empty="nothing was read yet")


def list_messages(
    session: Session,
    *,
    after: Annotated[int, typer.Option(metavar="NUMBER", help="Only those with a higher number.")] = 0,
    limit: LimitOption = 100,
) -> None:
    """List the messages that are set aside, by number.

    A message is set aside when a consumer fails on it, or it cannot be read. What comes under its key later follows it; all other
    keys go on. It is tried again by itself until it has failed often enough; then it is parked until somebody retries or discards
    it.
    """
    found = session.inbox.messages(after=after, limit=with_one_more(limit))
    show_page(
        [_row(each) for each in found],
        LIST_COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--after {last['number']}",
        empty="nothing is set aside",
    )


def show(session: Session, message: NumberArgument) -> None:
    """Show a message that is set aside, with its data and what follows it."""
    inbox = session.inbox
    found = inbox.message(message)
    event = found.event
    beside: dict[str, Any] = {"headers": None, "data": found.body.decode(errors="backslashreplace")}
    if event is not None:
        beside = {"headers": dict(event.headers), "data": _data(event.data)}
    followers = [_row(each) for each in inbox.followers(message)]
    record = {**_row(found), **beside, "followers": followers}
    show_record(record, session.format, tables={"followers": FOLLOWER_COLUMNS})


def retry(
    session: Session,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="[NUMBER]...", help="Of the messages; by default all.", show_default=False),
    ] = None,
) -> None:
    """Handle messages that are set aside, in this process, each with what follows it, in order.

    Consumers need not be stopped. It ends with exit code 1 where messages of a key are left.
    """
    retried = session.inbox.retry(*(numbers or []))
    show_rows([builtin(each) for each in retried], RETRY_COLUMNS, session.format, empty="nothing is set aside")
    if any(each.left for each in retried):
        raise typer.Exit(1)


def discard(
    session: Session,
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Of the messages.", show_default=False)],
    *,
    followers: Annotated[bool, typer.Option("--followers", help="What follows them under their keys, too.")] = False,
) -> None:
    """Give up messages that are set aside: they are never handled. What follows them is tried by the next consumer."""
    inbox = session.inbox
    for each in numbers:
        inbox.message(each)  # so that all are given up, or none
    last_first = sorted(set(numbers), reverse=True)  # what follows another is not gone with it before its turn
    discarded = sum(inbox.discard(each, followers=followers) for each in last_first)
    show_record({"numbers": numbers, "discarded": discarded}, session.format)


def prune(session: Session) -> None:
    """Forget which messages were handled longer ago than is to be remembered. Consumers do so by themselves."""
    show_record({"pruned": session.inbox.prune()}, session.format)


def _row(found: InboxMessage) -> dict[str, Any]:
    event = found.event
    return {
        "number": found.number,
        "group": found.group,
        "state": found.state,
        "channel": found.channel,
        "partition": found.partition,
        "position": found.position,
        "type": None if event is None else event.type,
        "id": None if event is None else event.id,
        "source": None if event is None else event.source,
        "key": found.key,
        "attempts": found.attempts,
        "followers": found.followers,
        "next_try": found.next_try,
        "kept_at": found.kept_at,
        "error": found.error,
    }


def _data(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return data.decode(errors="backslashreplace")
