"""Group commit by leader and followers: what many callers append at once shares one transaction.

1. A caller that finds nobody writing becomes the leader at once, without any hand-over.
2. A caller that finds a leader at work queues its request and waits: it is a follower.
3. The leader commits its own request with all that were queued meanwhile, gives each follower its own result or its
   own error, and, where more have queued since, appoints the first of them the next leader.

A follower that is an asyncio task cannot lead, since leading blocks: a thread of the pool leads in its place.
The scheme is LevelDB's write queue.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NoReturn, TypeVar, cast

import msgspec

from eventstore.errors import StoreUnavailable

Q = TypeVar("Q")
R = TypeVar("R")

MAX_GROUP = 1024


class _Slot(msgspec.Struct, Generic[Q, R], eq=False):
    """A caller's request, and what came of it."""

    request: Q
    future: "asyncio.Future[R] | None" = None
    outcome: R | BaseException | None = None
    wake: "threading.Lock | None" = None

    def result(self) -> R:
        outcome = self.outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[return-value]  # settled: None only where R may be None


class GroupCommit(Generic[Q, R]):
    """Gathers concurrent requests into groups and commits each group once.

    A thread may be interrupted anywhere (KeyboardInterrupt): its own request may then be stored or not, and whoever
    waits behind it is served all the same.

    Args:
        commit: stores all requests of a group in one transaction and returns each one's result or error, in order.
        max_group: the largest number of requests in a group.
    """

    def __init__(self, commit: Callable[[Sequence[Q]], Sequence[R | Exception]], *, max_group: int = MAX_GROUP) -> None:
        self._commit = commit
        self._max_group = max_group
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[_Slot[Q, R]] = deque()
        self._leader: _Slot[Q, R] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def submit(self, request: Q) -> R:
        """Commits the request, alone or in a group, and returns its result or raises its error."""
        slot: _Slot[Q, R] = _Slot(request)
        try:
            with self._lock:
                if self._closed:
                    _refuse()
                if self._leader is None:
                    self._leader = slot
                else:
                    slot.wake = threading.Lock()
                    slot.wake.acquire()
                    self._queue.append(slot)
            if slot.wake is not None:
                slot.wake.acquire()
            if slot is self._leader:
                self._lead(slot)
        except BaseException:
            self._leave(slot)
            raise
        return slot.result()

    async def submit_async(self, request: Q) -> R:
        """The same for an asyncio task; the event loop stays free meanwhile."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        slot: _Slot[Q, R] = _Slot(request, future)
        try:
            with self._lock:
                if self._closed:
                    _refuse()
                if self._leader is None:
                    self._leader = slot
                else:
                    self._queue.append(slot)
            if slot is self._leader:
                self._lead_in_pool(slot)
        except BaseException:
            self._leave(slot)
            raise
        return await future

    def close(self) -> None:
        """Refuses new requests and waits for those under way."""
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: self._leader is None)
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _lead_in_pool(self, slot: _Slot[Q, R]) -> None:
        with self._lock:
            if slot is not self._leader:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="eventfold-append")
            self._pool.submit(self._lead, slot)

    def _lead(self, first: _Slot[Q, R]) -> None:
        """Commits groups until leadership passes to a waiting thread or nobody waits."""
        leader = first if first is self._leader else None
        while leader is not None:
            group = [leader]
            try:
                if self._queue:
                    self._gather(group)
                outcomes = self._outcomes(group)
                if len(group) == 1 and leader.future is None:
                    leader.outcome = outcomes[0]  # this thread's own: nobody is to be woken
                else:
                    _publish(group, outcomes)
            except BaseException:
                interrupted = StoreUnavailable("the append was interrupted; repeat it with the same event ids")
                _publish(group, [interrupted if slot.outcome is None else slot.outcome for slot in group])
                raise
            finally:
                leader = self._pass_on(leader)

    def _gather(self, group: list[_Slot[Q, R]]) -> None:
        with self._lock:
            if len(self._queue) < self._max_group:
                group += self._queue
                self._queue.clear()
            while self._queue and len(group) < self._max_group:
                group.append(self._queue[0])
                self._queue.popleft()

    def _outcomes(self, group: list[_Slot[Q, R]]) -> Sequence[R | BaseException]:
        try:
            return self._commit([group[0].request] if len(group) == 1 else [slot.request for slot in group])
        except Exception as error:  # noqa: BLE001 - each caller gets it raised
            return [error] * len(group)

    def _leave(self, slot: _Slot[Q, R]) -> None:
        """Takes a caller that was interrupted out of the queue, or out of the lead, or mends what it left half done."""
        with self._lock:
            if slot in self._queue:
                self._queue.remove(slot)
        self._pass_on(slot)
        leader = self._leader
        if leader is not None:
            self._appoint(leader)

    def _pass_on(self, leader: _Slot[Q, R]) -> _Slot[Q, R] | None:
        """Appoints the next leader; returns it where this thread has to lead in its place."""
        with self._lock:
            if self._leader is not leader:
                return None
            if not self._queue:
                self._leader = None
                if self._closed:
                    self._idle.notify_all()
                return None
            successor = self._leader = self._queue.popleft()
        if successor.future is not None and leader.future is not None:
            return successor
        self._appoint(successor)
        return None

    def _appoint(self, leader: _Slot[Q, R]) -> None:
        """Sets a leader to work; one that is at work already takes no notice."""
        if leader.wake is not None:
            _release(leader.wake)
        elif leader.future is not None:
            self._lead_in_pool(leader)


def _refuse() -> NoReturn:
    raise StoreUnavailable("the store is closed; nothing was stored. Open it again.")


def _release(wake: threading.Lock) -> None:
    try:
        wake.release()
    except RuntimeError:  # it was released before, by a thread that was interrupted just then
        return


def _publish(group: "list[_Slot[Q, R]]", outcomes: "Sequence[R | BaseException]") -> None:
    """Hands out the outcomes: one wake-up for each thread, and one for each event loop, however many tasks it has."""
    loops: dict[asyncio.AbstractEventLoop, list[_Slot[Q, R]]] = {}
    for slot, outcome in zip(group, outcomes, strict=True):
        slot.outcome = outcome
        if slot.future is not None:
            loop = slot.future.get_loop()
            if loop in loops:
                loops[loop].append(slot)
            else:
                loops[loop] = [slot]
        elif slot.wake is not None:
            _release(slot.wake)
    for loop, slots in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, slots)
        except RuntimeError:  # the loop was closed while its appends were under way: nobody waits any more
            continue


def _resolve(slots: "list[_Slot[Q, R]]") -> None:
    for slot in slots:
        if slot.future is None or slot.future.done():
            continue
        if isinstance(slot.outcome, BaseException):
            slot.future.set_exception(slot.outcome)
        else:
            slot.future.set_result(cast("R", slot.outcome))
