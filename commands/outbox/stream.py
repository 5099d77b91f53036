"""Change data capture: hands the outbox's messages to a broker as PostgreSQL's write-ahead log says that they were committed.

They come in the order of their commits, without anybody asking for them. What a broker has confirmed is confirmed to the server,
and only then; so whoever is killed, everything is handed over at least once. The outbox's table is only for what has to wait:
rows that were there before, and messages that a broker refuses, with what follows them under their key.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

import psycopg

from commands.brokers.broker import Broker
from commands.brokers.handing_over import hand_over
from commands.clock import now_us
from commands.outbox.outbox import Outbox
from commands.outbox.pgoutput import Inserted
from commands.outbox.policy import HOLD, RelayPolicy
from commands.outbox.relay import AWAY, Relay
from commands.outbox.relaying import judge
from commands.outbox.replication import Replication
from commands.outbox.row import OutboxRow, event_of
from commands.outbox.slot import Slot
from commands.outbox.waiting import WaitingRows
from eventstore import EventfoldError, Unsupported
from eventstore.subscription import backoff

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often is looked for messages in the table, which somebody may have let go."""

WARN_BYTES = 1 << 30
"""So much of the write-ahead log held back is worth a warning: it fills the server's disk."""


class OutboxStream:
    """Hands over messages until it is stopped. One at a time is at work; another one waits for its turn.

    Args:
        outbox: whose messages.
        broker: what carries them; its owner closes it.
        policy: how often a message that fails is tried, and what becomes of what follows.
        warn_bytes: how much of the write-ahead log may be held back before that is logged.

    Raises:
        Unsupported: the outbox is not in PostgreSQL.
    """

    def __init__(
        self, outbox: Outbox, broker: Broker, policy: RelayPolicy | None = None, *, warn_bytes: int = WARN_BYTES
    ) -> None:
        database = outbox.store.backend.sql
        if database is None or database.dialect != "postgresql":
            raise Unsupported(
                f"{outbox.store.backend.description}: only PostgreSQL says what is committed; use a relay"
            )
        self.sent = 0
        self.error: str | None = None
        self.slot = Slot(database)
        self._outbox, self._broker, self._warn_bytes = outbox, broker, warn_bytes
        self._policy = policy if policy is not None else RelayPolicy()
        self._conninfo = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._waiting = WaitingRows(database)
        self._relay = Relay(outbox, broker, policy)
        self._relaying = asyncio.Lock()  # a look may still be at work when the replication has broken and begins again
        self._warn_at = 0.0
        self._leads = self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    async def run(self) -> None:
        """Works until `stop` is called. While the broker or the database is away it waits and tries again.

        Raises:
            Unsupported: the database does not say what is committed.
        """
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping:
            return
        await asyncio.to_thread(self.slot.make)
        work = [self._until_ended(), self._look_after_table(), self._ended.wait()]
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()

    def stop(self) -> None:
        """Ends it; what is in hand is handed over again by the next one. May be called from any thread."""
        self._stopping = True
        if self._loop is not None and self._ended is not None:
            with suppress(RuntimeError):  # its loop is closed: it has failed meanwhile
                self._loop.call_soon_threadsafe(self._ended.set)

    async def _until_ended(self) -> None:
        failures = 0
        while True:
            try:
                if failures:
                    await asyncio.to_thread(self.slot.make)
                async with Replication(self._conninfo, self.slot.name, self.slot.publication) as replication:
                    # what was there before comes before what is committed from now on
                    await self._hand_over_kept()
                    failures, self._leads = 0, True
                    self._tell(None)
                    while True:
                        await self._step(replication)
            except (psycopg.Error, EventfoldError, OSError) as error:
                failures, self._leads = failures + 1, False
                self._tell(_told(error))
                await asyncio.sleep(backoff(failures))

    async def _step(self, replication: Replication) -> None:
        transactions = await replication.receive(self._policy.batch)
        rows = [found for each in transactions for row in each.rows if (found := _row(row)) is not None]
        if rows:
            await self._hand_over(rows)
        replication.confirm(transactions[-1].end)

    async def _hand_over(self, rows: Sequence[OutboxRow]) -> None:
        """Until each is confirmed, or waits in the table."""
        pending = await asyncio.to_thread(lambda: self._waiting.join(rows, hold=self._policy.on_parked == HOLD))
        away = 0
        while pending:
            errors = await hand_over(self._broker, [each.event for each in pending])
            verdict = judge(pending, errors, self._policy, now_us())
            self.sent += len(verdict.sent)
            if verdict.sent and not self._outbox.passing:
                await asyncio.to_thread(self._waiting.mark_sent, verdict.sent)
            self._tell(verdict.unavailable)
            done = {each.seq for each in verdict.sent}
            if verdict.failed:
                aside = await asyncio.to_thread(self._waiting.set_aside, verdict, pending)
                done |= {each.seq for each in aside}
            pending = [each for each in pending if each.seq not in done]
            if verdict.unavailable is not None:
                away += 1
                await asyncio.sleep(AWAY.pause(away))

    async def _look_after_table(self) -> None:
        """Hands over what waits in the table and may go, and looks at what the slot holds back."""
        while True:
            try:
                if self._leads and await asyncio.to_thread(self._waiting.any_due):
                    await self._hand_over_kept()
                await self._look_at_slot()
            except EventfoldError as error:
                self._tell(_told(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _hand_over_kept(self) -> None:
        async with self._relaying:
            self.sent += await self._relay.run_once()

    async def _look_at_slot(self) -> None:
        status = await asyncio.to_thread(self.slot.status)
        if status is None or status.held_bytes < self._warn_bytes or time.monotonic() < self._warn_at:
            return
        self._warn_at = time.monotonic() + 60.0
        logger.warning(
            "the replication slot %s holds back %s MB of the write-ahead log (%s): the server's disk fills until its messages are "
            "sent, or it is dropped",
            status.name,
            f"{status.held_bytes >> 20:,}",
            status.wal,
        )

    def _tell(self, error: str | None) -> None:
        if error != self.error:
            logger.warning("the outbox's stream %s", "goes on" if error is None else f"waits: {error}")
        self.error = error


def _row(inserted: Inserted) -> OutboxRow | None:
    """The message; None where the row was put into the table by a stream, which knows of it."""
    values = inserted.values
    if values["next_try"] != "0" or values["parked"] is not None:
        return None
    names = ("id", "aggregatetype", "aggregateid", "type", "payload", "headers")
    event = event_of(*[str(values[each]) for each in names])
    return OutboxRow(int(values["seq"] or 0), event, int(values["created"] or 0))


def _told(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
