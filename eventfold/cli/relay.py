"""`eventfold outbox relay|stream`: the messages of an outbox handed to a broker."""

import asyncio
import logging
import sys
import time
from typing import Annotated

import typer
from msgspec.structs import replace

from commands.brokers.opening import BrokerSource, open_broker
from commands.outbox.outbox import Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.relay import Relay
from commands.outbox.slot import Slot
from eventfold.cli.output import show_record
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import LOOK_SECONDS, signals_end
from eventfold.relay_follower import RelayFollower
from eventstore import Unsupported
from eventstore.sql_database import SqlDatabase

logger = logging.getLogger("eventfold.outbox")

BrokerOption = Annotated[
    str | None, typer.Option("--broker", metavar="URL", help="In place of the broker that the application names.")
]


def add_to(group: typer.Typer) -> None:
    """Adds the commands to the noun of the outbox."""
    command(group, "relay", example="eventfold outbox relay --once")(relay)
    command(group, "stream", example="eventfold outbox stream")(stream)


def relay(
    session: Session,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when all that can be sent now is sent.")] = False,
    broker: BrokerOption = None,
) -> None:
    """Hand messages to the broker until SIGTERM or Ctrl-C.

    These end it after the batch in hand, with exit code 0. Any number of relays may run at once, on any number of machines: each
    key keeps its order. An Outbox that stands alone needs --broker.
    """
    if once:
        source = _broker(session, broker)
        show_record({"sent": relay_once(session.outbox, source, _policy(session))}, session.format)
    else:
        _serve(session, broker, streamed=False)


def stream(session: Session, *, broker: BrokerOption = None) -> None:
    """Hand messages to the broker as PostgreSQL's write-ahead log says that they were committed, until SIGTERM or Ctrl-C.

    It keeps a replication slot, so nothing is missed while it is not running; the server keeps its log until then. One at a time
    is at work, and others wait for their turn. `eventfold outbox status` says how much the slot holds back. An Outbox that stands
    alone needs --broker.
    """
    _serve(session, broker, streamed=True)


def _broker(session: Session, given: str | None) -> BrokerSource:
    parts = session.parts_of_outbox
    chosen = given or (None if parts is None else parts.broker)
    if chosen is None:
        whose = "an Outbox that stands alone" if parts is None else "the application"
        more = "" if parts is None else ", or Application(broker=...)"
        usage_error(f"{whose} names no broker: give --broker, as in --broker nats://127.0.0.1:4222{more}")
    warn_of_memory(chosen)
    return chosen


def _policy(session: Session) -> RelayPolicy:
    parts = session.parts_of_outbox
    return RelayPolicy() if parts is None else parts.relay


def warn_of_memory(broker: object) -> None:
    """What is handed to a broker in memory is gone with this process."""
    if isinstance(broker, str) and broker.startswith("memory:"):
        warn(f"{broker} is in this process's memory alone: what is handed to it, nobody else hears")


def _postgresql(outbox: Outbox) -> SqlDatabase:
    database = outbox.store.backend.sql
    if database is None or database.dialect != "postgresql":
        raise Unsupported(
            f"{outbox.store.backend.description}: only PostgreSQL says what is committed; run `eventfold outbox relay`"
        )
    return database


def relay_once(outbox: Outbox, broker: BrokerSource, policy: RelayPolicy) -> int:
    """Hands over what can be handed over now; how many messages that were.

    Raises:
        BrokerUnavailable: the broker is away.
    """
    return asyncio.run(_relay_once(outbox, broker, policy))


async def _relay_once(outbox: Outbox, source: BrokerSource, policy: RelayPolicy) -> int:
    broker = open_broker(source)
    try:
        return await Relay(outbox, broker, policy).run_once()
    finally:
        await broker.close()


def _serve(session: Session, given: str | None, *, streamed: bool) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with signals_end() as ended:  # before the application is imported, which takes a while
        source, outbox = _broker(session, given), session.outbox
        if streamed:
            Slot(_postgresql(outbox)).make()
        follower = RelayFollower(lambda: outbox, source, replace(_policy(session), streamed=streamed))
        follower.start()
        logger.info("handing the messages of %s over", outbox.source)
        try:
            while not ended():
                time.sleep(LOOK_SECONDS)
            logger.info("stopping after the batch in hand")
        finally:
            follower.stop()
    logger.info("stopped, %d messages sent", follower.sent)
