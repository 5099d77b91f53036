"""Leaders and followers, with a commit function that the test holds in its hand."""

import asyncio
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from types import FrameType
from typing import Any

import pytest

from eventstore import group_commit
from eventstore.errors import StoreUnavailable
from eventstore.group_commit import GroupCommit

PATIENCE = 60.0


class Gate:
    """A commit function that waits at the gate, and keeps the groups that came through."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.arrived = threading.Semaphore(0)
        self.opened = threading.Semaphore(0)

    def __call__(self, requests: Sequence[int]) -> list[int | Exception]:
        self.arrived.release()
        assert self.opened.acquire(timeout=PATIENCE)
        self.groups.append(list(requests))
        return [ValueError(f"odd {each}") if each % 2 else each * 10 for each in requests]

    def open(self, times: int = 1) -> None:
        self.opened.release(times)

    def wait_for_a_leader(self) -> None:
        assert self.arrived.acquire(timeout=PATIENCE)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits for a state that only other threads can bring about."""
    for _ in range(1_000_000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("the state never came about")


def submit(threads: ThreadPoolExecutor, group: GroupCommit[int, int], *requests: int) -> list[Future[int]]:
    """Submits one request after the other, each once the one before has queued."""
    futures = []
    for request in requests:
        before = len(group._queue)
        futures.append(threads.submit(group.submit, request))
        wait_for(lambda before=before: len(group._queue) > before)
    return futures


def lead(threads: ThreadPoolExecutor, group: GroupCommit[int, int], gate: Gate, request: int) -> Future[int]:
    future = threads.submit(group.submit, request)
    gate.wait_for_a_leader()
    return future


def test_a_caller_alone_commits_in_its_own_thread() -> None:
    seen = []

    def commit(requests: Sequence[int]) -> list[int | Exception]:
        seen.append(threading.current_thread())
        return [each * 10 for each in requests]

    group: GroupCommit[int, int] = GroupCommit(commit)

    assert [group.submit(n) for n in range(3)] == [0, 10, 20]
    assert seen == [threading.current_thread()] * 3


def test_those_who_come_meanwhile_share_the_next_group(gate: Gate, threads: ThreadPoolExecutor) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, 2, 4, 6)

    gate.open(2)

    assert leader.result(PATIENCE) == 0
    assert [each.result(PATIENCE) for each in followers] == [20, 40, 60]
    assert gate.groups == [[0], [2, 4, 6]]


def test_each_caller_gets_its_own_error(gate: Gate, threads: ThreadPoolExecutor) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)
    leader = lead(threads, group, gate, 1)
    followers = submit(threads, group, 2, 3, 4)

    gate.open(2)

    errors = [str(each.exception(PATIENCE)) for each in (leader, followers[1])]
    assert errors == ["odd 1", "odd 3"]
    assert [followers[n].result(PATIENCE) for n in (0, 2)] == [20, 40]


def test_a_group_is_no_larger_than_allowed(gate: Gate, threads: ThreadPoolExecutor) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate, max_group=3)
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, *range(2, 16, 2))

    gate.open(10)

    assert [each.result(PATIENCE) for each in (leader, *followers)] == list(range(0, 160, 20))
    assert gate.groups == [[0], [2, 4, 6], [8, 10, 12], [14]]


def test_a_commit_that_fails_fails_its_whole_group_and_no_other(threads: ThreadPoolExecutor) -> None:
    gate = Gate()

    def commit(requests: Sequence[int]) -> list[int | Exception]:
        outcomes = gate(requests)
        if 2 in requests:
            raise ConnectionError("gone")
        return outcomes

    group: GroupCommit[int, int] = GroupCommit(commit, max_group=2)
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, 2, 4, 6)

    gate.open(3)

    assert leader.result(PATIENCE) == 0
    assert [type(each.exception(PATIENCE)) for each in followers[:2]] == [ConnectionError] * 2
    assert followers[2].result(PATIENCE) == 60


def test_a_commit_that_answers_too_little_leaves_nobody_waiting(threads: ThreadPoolExecutor) -> None:
    gate = Gate()
    group: GroupCommit[int, int] = GroupCommit(lambda requests: gate(requests)[:1])
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, 2, 4)

    gate.open(2)

    assert leader.result(PATIENCE) == 0
    assert all(each.exception(PATIENCE) is not None for each in followers[1:])


def test_tasks_share_a_group_and_the_event_loop_stays_free(gate: Gate) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(group.submit_async(n)) for n in range(6)]
        await asyncio.to_thread(gate.wait_for_a_leader)
        assert not any(task.done() for task in tasks)
        gate.open(2)
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(main())

    assert [outcomes[n] for n in (0, 2, 4)] == [0, 20, 40]
    assert [str(outcomes[n]) for n in (1, 3, 5)] == ["odd 1", "odd 3", "odd 5"]
    assert gate.groups == [[0], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize("first_is_a_task", [False, True])
@pytest.mark.parametrize("max_group", [1, 2, 100])
def test_threads_and_tasks_follow_each_other(
    gate: Gate, threads: ThreadPoolExecutor, first_is_a_task: bool, max_group: int
) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate, max_group=max_group)

    async def main() -> list[int]:
        results: list[Any] = []
        for n in range(0, 16, 2):
            if (n % 4 == 0) == first_is_a_task:
                results.append(asyncio.create_task(group.submit_async(n)))
                await asyncio.sleep(0)
            else:
                results.append(asyncio.wrap_future(threads.submit(group.submit, n)))
            await asyncio.to_thread(wait_for, lambda n=n: len(group._queue) == n // 2)
        gate.open(16)
        return await asyncio.gather(*results)

    assert asyncio.run(main()) == list(range(0, 160, 20))
    assert [each for one in gate.groups for each in one] == list(range(0, 16, 2))
    assert max(len(each) for each in gate.groups) <= max_group


def test_a_task_that_is_cancelled_while_its_group_commits_disturbs_nobody(gate: Gate) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(group.submit_async(n)) for n in (0, 2, 4)]
        await asyncio.to_thread(gate.wait_for_a_leader)
        tasks[0].cancel()
        tasks[1].cancel()
        gate.open(3)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [*outcomes, await group.submit_async(6)]

    outcomes = asyncio.run(main())

    assert [type(each) for each in outcomes[:2]] == [asyncio.CancelledError] * 2
    assert outcomes[2:] == [40, 60]


def test_a_loop_that_closes_with_appends_under_way_disturbs_nobody(gate: Gate, threads: ThreadPoolExecutor) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)

    async def main() -> None:
        task = asyncio.create_task(group.submit_async(0))
        await asyncio.to_thread(gate.wait_for_a_leader)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    followers = submit(threads, group, 2)
    gate.open(2)

    assert followers[0].result(PATIENCE) == 20


def test_an_interrupted_leader_serves_its_followers(threads: ThreadPoolExecutor) -> None:
    gate = Gate()

    def commit(requests: Sequence[int]) -> list[int | Exception]:
        outcomes = gate(requests)
        if 2 in requests:
            raise KeyboardInterrupt
        return outcomes

    group: GroupCommit[int, int] = GroupCommit(commit, max_group=2)
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, 2, 4, 6, 8)

    gate.open(4)

    assert leader.result(PATIENCE) == 0
    assert isinstance(followers[0].exception(PATIENCE), KeyboardInterrupt)
    with pytest.raises(StoreUnavailable, match="interrupted; repeat it with the same event ids"):
        followers[1].result(PATIENCE)
    assert [each.result(PATIENCE) for each in followers[2:]] == [60, 80]


@pytest.mark.parametrize("followers", [0, 1, 2, 3])
@pytest.mark.parametrize("begins", ["as leader", "as follower"])
def test_a_thread_interrupted_at_any_line_leaves_nobody_waiting(begins: str, followers: int) -> None:
    """Raises KeyboardInterrupt at the first, second, ... line that one caller runs, until it runs none more."""
    for line in count(1):
        struck = _interrupted(line, begins, [2 * n for n in range(1, followers + 1)])
        if not struck:
            break
    assert line > 10


def _interrupted(line: int, begins: str, requests: list[int]) -> bool:
    """Interrupts one of several callers. Returns whether it ran as many lines as that."""
    gate, interruption = Gate(), _InterruptAt(line)
    held = 100 if begins == "as follower" else 0

    def commit(given: Sequence[int]) -> list[int | Exception]:
        return gate(given) if held in given else [each * 10 for each in given]

    group: GroupCommit[int, int] = GroupCommit(commit, max_group=2)
    with ThreadPoolExecutor(8) as threads:
        leader = lead(threads, group, gate, held) if held else None
        victim = threads.submit(interruption.run, group.submit, 0)
        wait_for(lambda: victim.done() or bool(group._queue or gate.arrived.acquire(blocking=False)))
        others = [threads.submit(group.submit, each) for each in requests]
        wait_for(
            lambda: _all_wait(group, len(requests), victim, in_queue=bool(held)) or all(each.done() for each in others)
        )
        gate.open(2)
        for request, other in zip(requests, others, strict=True):
            outcome = other.exception(PATIENCE)
            assert isinstance(outcome, StoreUnavailable) if outcome else other.result() == request * 10, line
        assert leader is None or leader.result(PATIENCE) == 1000
        outcome = victim.exception(PATIENCE)
        assert isinstance(outcome, KeyboardInterrupt) if interruption.struck else victim.result() == 0
        assert group.submit(8) == 80
    assert group._leader is None
    assert not group._queue
    group.close()
    return interruption.struck


def _all_wait(group: GroupCommit[int, int], others: int, victim: Future[int], *, in_queue: bool) -> bool:
    return len(group._queue) == others + (in_queue and not victim.done())


class _InterruptAt:
    """Runs a function, and interrupts it at one of the lines of group_commit.py."""

    def __init__(self, line: int) -> None:
        self._left = line
        self.struck = False
        self._withs: dict[tuple[int, int], int] = {}

    def run(self, function: Callable[[int], int], argument: int) -> int:
        sys.settrace(self._trace)
        try:
            return function(argument)
        finally:
            sys.settrace(None)

    def _is_end_of_with(self, frame: FrameType) -> bool:
        """Python takes no signal between the end of such a block and the release of its lock, but it does trace there."""
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        first = self._withs.setdefault((id(frame), frame.f_lineno), 0) == 0
        self._withs[id(frame), frame.f_lineno] += 1
        return line.strip().startswith("with ") and not first

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != group_commit.__file__:
            return None
        if event == "line" and not self._is_end_of_with(frame):
            self._left -= 1
            if self._left == 0:
                self.struck = True
                sys.stderr.write(f"struck {frame.f_code.co_name} {frame.f_lineno}\n")
                raise KeyboardInterrupt
        return self._trace


def test_a_follower_that_is_interrupted_leaves_the_queue(gate: Gate, threads: ThreadPoolExecutor) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)
    leader = lead(threads, group, gate, 0)
    slot: group_commit._Slot[int, int] = group_commit._Slot(2)
    group._queue.append(slot)
    followers = submit(threads, group, 4)

    group._leave(slot)
    gate.open(2)

    assert leader.result(PATIENCE) == 0
    assert followers[0].result(PATIENCE) == 40
    assert gate.groups == [[0], [4]]


def test_a_thread_that_cannot_be_started_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    group: GroupCommit[int, int] = GroupCommit(list)

    def refuse(*_arguments: object, **_keywords: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="can't start"):
            await group.submit_async(1)

    asyncio.run(main())
    assert group.submit(2) == 2


def test_closing_waits_for_what_is_under_way_and_refuses_what_comes_later(
    gate: Gate, threads: ThreadPoolExecutor
) -> None:
    group: GroupCommit[int, int] = GroupCommit(gate)
    leader = lead(threads, group, gate, 0)
    followers = submit(threads, group, 2, 4)
    closing = threads.submit(group.close)
    wait_for(lambda: group._closed)

    with pytest.raises(StoreUnavailable, match="closed"):
        group.submit(6)
    assert not closing.done()
    gate.open(2)

    closing.result(PATIENCE)
    assert gate.groups == [[0], [2, 4]]
    assert [each.result(PATIENCE) for each in (leader, *followers)] == [0, 20, 40]
    with pytest.raises(StoreUnavailable, match="closed"):
        asyncio.run(group.submit_async(8))
    group.close()
