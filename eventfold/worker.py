"""The worker: keeps the read models up to date, carries out reactions and dispatches scheduled commands until it is stopped."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, Self

from commands.brokers.opening import open_broker
from eventfold.database_follower import database_follower
from eventfold.outdated import Outdated
from eventfold.parts import Parts
from eventfold.reaction_follower import reaction_follower
from eventfold.relay_follower import RelayFollower
from eventfold.remote_follower import remote_follower
from eventfold.schedule_follower import schedule_follower
from eventfold.view_keeper import view_keeper
from eventstore import StoreBusy, StoreError, StoreUnavailable
from eventstore.signal import ThreadBell
from eventstore.subscription import SAFETY_POLL_SECONDS, backoff
from projections.leases import LEASE_SECONDS, Leases

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.004
"""The pause after a step that caught up. A writer in full flow would otherwise wake the worker for each event, and the two
would take the processor and the database's lock from each other; so what has come in meanwhile is taken in one batch."""


INLINE_SECONDS = 1.0
"""How often is looked for events that should have been folded inline, and were appended by a process that does not do so."""


PRUNE_SECONDS = 60.0
"""How often is looked for what may be forgotten."""


class Beside(Protocol):
    """What works in threads of its own beside the worker's."""

    def start(self) -> object:
        """Works until it is stopped."""

    def stop(self) -> None:
        """Ends after what is in hand, and waits for that."""


class Worker:
    """Runs an application's projections in this thread (`run`) or in one of its own (`start`, or a `with` block).

    Each partition of a reaction is carried out in a thread of its own, so that a slow side effect holds up nobody else; so are the
    messages of other services, where the application has consumers and a broker. Where the application names a broker, its
    messages for others are handed over, too.

    Coroutines run in the event loop that has begun `async with app.worker()`, and in one of that thread's own otherwise.

    Any number of workers may run, in any number of processes and on any number of machines. They share the partitions of all
    projections among themselves; when one comes or goes, the others let go of some, or take them over. Rows that were made by
    another version of a projection or its model are rebuilt first, by one of them; the others go on with all else meanwhile.

    Nothing but `stop` ends it: after an error it waits, longer each time, and tries again.

    Args:
        parts: of the application.
        lease_seconds: how long it may be silent before others take over what it works on.

    Attributes:
        error: what went wrong in the last attempt; None where that succeeded. It is logged too.
    """

    def __init__(self, parts: Parts, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.error: Exception | None = None
        self._parts = parts
        self._lease_seconds = lease_seconds
        self._stopping = threading.Event()
        self._bell: ThreadBell | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outdated: list[Outdated] = []
        self._failures = 0
        self._inline_at = 0.0
        self._prune_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the background thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def run(self) -> None:
        """Works until `stop` is called. While the database is away it waits and tries again.

        Raises:
            StoreError: the database cannot be opened.
        """
        self._open()
        self._work()

    def start(self) -> Self:
        """Works in a background thread, also after `stop`; where it does so already, nothing happens.

        Raises:
            StoreError: the database cannot be opened.
        """
        if not self.running:
            self._open()
            self._stopping.clear()
            self._thread = threading.Thread(target=self._work, name="eventfold-worker", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the batch in hand, and waits for that."""
        self._stopping.set()
        bell, thread = self._bell, self._thread
        if bell is not None:
            bell.ring()
        if thread is not None:
            thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_exception: object) -> None:
        await asyncio.to_thread(self.stop)

    def _open(self) -> None:
        self._parts.store.listen()
        _ = self._parts.schedules  # keeps those that the code declares
        if self._parts.consumers:
            _ = self._parts.inbox  # its outbox may need the database, and what fails here is told to the caller
        if isinstance(self._parts.broker, str):
            open_broker(self._parts.broker)  # not connected yet: a URL that is none, or a library that is missing

    def _work(self) -> None:
        bell = self._bell = ThreadBell(self._parts.store.signal)
        reacting = [track for _, track in self._parts.reactions_in_log]
        leases = Leases(self._parts.engine, seconds=self._lease_seconds, beside=reacting)
        mine = [*self._parts.engine.local, *self._parts.engine.inline]
        self._outdated = [Outdated(self._parts.store, each, leases) for each in mine]
        work: Callable[[], bool] = self._rebuild_outdated
        step = partial(self._step, leases)
        beside = self._beside(leases)
        started: list[Beside] = []
        try:
            for each in beside:
                each.start()
                started.append(each)
            while not self._stopping.is_set():
                moved = self._guarded(work)
                if self._failures:
                    bell.wait(backoff(self._failures))
                elif work == self._rebuild_outdated:
                    work = step
                elif moved and self._parts.engine.caught_up(leases.name):
                    self._stopping.wait(GATHER_SECONDS)
                elif not moved:
                    bell.wait(self._pause(leases))
        finally:
            for each in started:
                each.stop()
            self._release(leases)
            self._bell = None
            bell.close()
            self._stopping.clear()

    def _beside(self, leases: Leases) -> list["Beside"]:
        """What is kept in threads of its own: whatever may be slow, and must hold up nobody else."""
        parts, engine = self._parts, self._parts.engine
        if parts.consumers and parts.broker is None:
            logger.warning(
                "%d consumers and no broker: nothing is consumed; name one, as in broker='nats://...'",
                len(parts.consumers),
            )
        return [
            *[remote_follower(parts, each, leases) for each in engine.beside_log],
            *[database_follower(parts, each, self._lease_seconds) for each in engine.elsewhere],
            *[
                reaction_follower(parts, reaction, track, lane, leases, self._loop)
                for reaction, track in parts.reactions_in_log
                for lane in track.lanes
            ],
            *[view_keeper(parts, each) for each in engine.views.values()],
            *([schedule_follower(parts, self._loop)] if parts.commands else []),
            *([parts.inbox.worker()] if parts.consumers and parts.broker is not None else []),
            *([] if parts.broker is None else [RelayFollower(lambda: parts.outbox, parts.broker, parts.relay)]),
        ]

    def _step(self, leases: Leases) -> bool:
        engine = self._parts.engine
        self._prune()
        if not leases.due_in:
            leases.keep()
            self._rebuild_outdated()  # what another worker has begun, and left
        moved = engine.step(engine.local, owner=leases.name)
        if engine.inline and time.monotonic() >= self._inline_at:
            if engine.step(engine.inline, owner=leases.name):
                moved = True
            else:
                self._inline_at = time.monotonic() + INLINE_SECONDS
        return moved

    def _prune(self) -> None:
        """Now and then, forgets the idempotency keys that have expired, and scheduled commands that were done long ago."""
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_SECONDS
            self._parts.ledger.prune()
            self._parts.schedules.prune()

    def _release(self, leases: Leases) -> None:
        try:
            leases.release()
        except StoreError as error:  # they end by themselves
            logger.warning("the worker could not let go of its leases: %s", error)

    def _guarded(self, work: Callable[[], bool]) -> bool:
        try:
            moved = work()
        except (StoreUnavailable, StoreBusy) as error:
            logger.warning("the worker waits for the database: %s", error)
            return self._failed(error)
        except Exception as error:
            if repr(error) == repr(self.error):
                logger.warning("the worker failed again and tries on: %s", error)
            else:
                logger.exception("the worker failed and tries again")
            return self._failed(error)
        self._failures, self.error = 0, None
        return moved

    def _failed(self, error: Exception) -> bool:
        self._failures += 1
        self.error = error
        return False

    def _pause(self, leases: Leases) -> float:
        retry = self._parts.engine.retry_in(leases.name)
        waits = [SAFETY_POLL_SECONDS, leases.due_in, *([] if retry is None else [retry])]
        return max(0.01, min(waits))

    def _rebuild_outdated(self) -> bool:
        self._outdated = [each for each in self._outdated if not each.mended()]
        return True
