"""The relay: hands the outbox's messages to a broker, and marks each once the broker has confirmed it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from commands.brokers.broker import Broker
from commands.brokers.handing_over import hand_over
from commands.clock import now_us
from commands.errors import BrokerUnavailable
from commands.outbox.outbox import Outbox
from commands.outbox.policy import HOLD, RelayPolicy
from commands.outbox.relaying import NONE, START, Ends, Taken, Verdict, ends_of, judge, may_follow
from commands.outbox.row import OutboxRow
from commands.outbox.uninterrupted import uninterrupted
from commands.retry import RetryPolicy
from eventstore import EventfoldError, StoreBusy, StoreUnavailable
from eventstore.identifier import new_id
from eventstore.signal import TaskBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff

logger = logging.getLogger(__name__)

AWAY = RetryPolicy(base_seconds=0.5, max_seconds=30.0)
"""The pauses while the broker is away."""

GATHER_SECONDS = 0.002
"""The pause between two batches, in which what is added meanwhile gathers, so that many messages share a round trip."""

PRUNE_US = 60_000_000
"""How often is looked for messages that were sent long ago."""


class Relay:
    """Hands over messages until it is stopped. Any number may be at work, in any number of processes.

    Of one key, no message is handed over before the one ahead of it is confirmed, or together with it to a broker that keeps
    their order. After a failure it may be handed over again, always with the same id; so it reaches the broker at least once.

    It is woken by whatever adds messages. It lives in one event loop.

    Args:
        outbox: whose messages.
        broker: what carries them; its owner closes it.
        policy: how it goes about it.

    Attributes:
        sent: how many messages it has handed over.
        error: why the broker takes none for now; None where it does.
    """

    def __init__(self, outbox: Outbox, broker: Broker, policy: RelayPolicy | None = None) -> None:
        self.sent = 0
        self.error: str | None = None
        self._outbox, self._broker = outbox, broker
        self._policy = policy if policy is not None else RelayPolicy()
        self._owner = new_id()
        self._after = START
        self._ahead: Taken | None = None  # read while the one before it was handed over
        self._unsettled: tuple[Taken, Verdict] | None = None  # handed over; settled while the next one is
        self._retry_us: int | None = None
        self._in_vain = True  # whether there was nothing to hand over since the first key
        self._prune_us = 0
        self._away = 0
        self._stale = True  # what an earlier relay has told of the broker may hold no more
        self._stopping = False
        self._bell: TaskBell | None = None

    async def run(self) -> None:
        """Works until `stop` is called. While the broker or the database is away it waits and tries again."""
        self._bell = TaskBell(self._outbox.store.signal)
        await asyncio.to_thread(self._outbox.store.listen)
        failures, told = 0, ""
        try:
            while not self._stopping:
                try:
                    moved, failures, told = await self.step(), 0, ""
                except Exception as error:  # noqa: BLE001 - nothing but `stop` ends it
                    failures, moved = failures + 1, False
                    if str(error) != told:
                        told = str(error)
                        log = logger.warning if isinstance(error, StoreUnavailable | StoreBusy) else logger.exception
                        log("the relay tries again: %s", error)
                if failures:
                    await self._bell.wait(backoff(failures))
                elif not moved:
                    await self._rest(self._bell)
                elif self._ahead is None:
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._bell.close()
            await self._release()

    async def run_once(self) -> int:
        """Hands over what can be handed over now.

        Returns:
            How many messages were sent.

        Raises:
            BrokerUnavailable: the broker is away.
            StoreError: the database refused or is gone.
        """
        before, idle = self.sent, False
        self._after = START
        try:
            while not idle and not self._stopping:
                idle = not await self.step()
                if self.error is not None:
                    raise BrokerUnavailable(self.error)
        finally:
            await self._release()
        return self.sent - before

    def stop(self) -> None:
        """Ends it after the batch in hand. May be called from any thread."""
        self._stopping = True
        if self._bell is not None:
            self._bell.ring()

    async def step(self) -> bool:
        """Hands over one batch; False where there is nothing to do for now."""
        try:
            await asyncio.to_thread(self._prune)
            taken, self._ahead = self._ahead or await self._take(NONE), None
            if not taken.rows:
                return not (self._in_vain and taken.after == START)
            self._in_vain = False
            verdict = await self._hand_over(taken)
            await self._tell(verdict.unavailable)
        except BaseException:
            await self._end_round()  # what has happened meanwhile, it does not know
            raise
        return verdict.unavailable is None

    async def _take(self, ahead: Ends) -> Taken:
        began, hold = self._after, self._policy.on_parked == HOLD
        take = partial(self._outbox.relays.take, self._owner, began, self._policy.batch, hold=hold, ahead=ahead)
        taken = await uninterrupted(lambda: take(now_us()), lambda taken: taken.drop())
        self._after = taken.after
        if began == START:
            self._retry_us, self._in_vain = None, True
        if taken.retry_us is not None:
            self._retry_us = min(taken.retry_us, self._retry_us or taken.retry_us)
        return taken

    async def _hand_over(self, taken: Taken) -> Verdict:
        """Whatever comes in between, they are settled or let go: at once, or while those that were read ahead are handed over."""
        try:
            errors = await self._answers(taken.rows)
        except BaseException:
            await _let_go(taken)
            raise
        verdict = judge(taken.rows, errors, self._policy, now_us())
        self._unsettled = taken, verdict
        if self._ahead is not None:
            self._ahead.rows = may_follow(self._ahead.rows, taken.rows, verdict)
        if self._ahead is None or not self._ahead.rows:
            await self._settle()
            await self._drop_ahead()
        return verdict

    async def _answers(self, rows: Sequence[OutboxRow]) -> Sequence[Exception | None]:
        """What the broker says of each. Meanwhile those before are settled, and those behind are read, where there are many."""
        handing_over = hand_over(self._broker, [each.event for each in rows])
        answers, failure = await asyncio.gather(handing_over, self._meanwhile(rows), return_exceptions=True)
        if failure is not None:
            raise failure
        if isinstance(answers, BaseException):
            raise answers
        return answers

    async def _meanwhile(self, rows: Sequence[OutboxRow]) -> None:
        kept = await self._settle()
        if kept and 2 * len(rows) >= self._policy.batch:
            with suppress(EventfoldError):  # whether the database is gone, settling these shows
                self._ahead = await self._take(ends_of(rows))

    async def _settle(self) -> bool:
        """Says what became of those that were handed over last; false where another relay has taken them meanwhile.

        Always before those behind them are settled: else these alone would be said once more, behind the later ones.
        """
        if self._unsettled is None:
            return True
        (taken, verdict), self._unsettled = self._unsettled, None
        try:
            kept = await uninterrupted(lambda: taken.settle(verdict, now_us()))
        except BaseException:
            await _let_go(taken)
            raise
        self.sent += len(verdict.sent)
        return kept

    async def _drop_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._in_vain = False  # these come in the next round
            await _let_go(ahead)

    async def _end_round(self) -> None:
        await self._drop_ahead()
        with suppress(EventfoldError):
            await self._settle()

    async def _release(self) -> None:
        await self._end_round()
        await asyncio.to_thread(self._outbox.relays.release, self._owner)

    async def _tell(self, error: str | None) -> None:
        """The broker is away, or is back: kept for the status, and logged once."""
        self._away = 0 if error is None else self._away + 1
        if error != self.error:
            logger.warning("%s", f"{self._broker.description} takes messages again" if error is None else error)
        if error != self.error or self._stale:
            await asyncio.to_thread(self._outbox.relays.told, error, now_us())
            self._stale = False
        self.error = error

    async def _rest(self, bell: TaskBell) -> None:
        if self._away:  # news of more messages is no reason to try sooner
            until = time.monotonic() + AWAY.pause(self._away)
            while not self._stopping and (left := until - time.monotonic()) > 0:
                await bell.wait(left)
            return
        seconds = SAFETY_POLL_SECONDS
        if self._retry_us is not None:
            seconds = min(seconds, max(0.01, (self._retry_us - now_us()) / 1e6))
        await bell.wait(seconds)

    def _prune(self) -> None:
        if now_us() >= self._prune_us:
            more = self._outbox.prune_some(self._policy.keep_sent_seconds)
            self._prune_us = 0 if more else now_us() + PRUNE_US


async def _let_go(taken: Taken) -> None:
    with suppress(EventfoldError):  # a database that is gone has let go of them by itself
        await uninterrupted(taken.drop)
