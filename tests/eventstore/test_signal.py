"""Bells: who is woken, how often, and who no longer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from eventstore.signal import Signal, TaskBell, ThreadBell

PATIENCE_SECONDS = 60


def test_ringing_often_before_a_thread_looks_wakes_it_once() -> None:
    signal = Signal()
    bell = ThreadBell(signal)

    signal.ring()
    signal.ring()

    assert bell.wait(0) is True
    assert bell.wait(0) is False


def test_a_thread_that_waits_is_woken() -> None:
    signal = Signal()
    bell = ThreadBell(signal)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bell.wait, PATIENCE_SECONDS)

        signal.ring()

        assert waiting.result() is True


def test_a_bell_of_ones_own_wakes_nobody_else() -> None:
    signal = Signal()
    mine, other = ThreadBell(signal), ThreadBell(signal)

    mine.ring()

    assert (mine.wait(0), other.wait(0)) == (True, False)


def test_a_closed_bell_hears_nothing() -> None:
    signal = Signal()
    closed, open_still = ThreadBell(signal), ThreadBell(signal)

    closed.close()
    signal.ring()

    assert (closed.wait(0), open_still.wait(0)) == (False, True)


def test_a_task_that_waits_is_woken_by_a_thread() -> None:
    signal = Signal()

    async def go() -> bool:
        bell = TaskBell(signal)
        waiting = asyncio.create_task(bell.wait(PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await asyncio.to_thread(signal.ring)
        return await waiting

    assert asyncio.run(go()) is True


def test_a_bell_whose_loop_is_closed_takes_itself_away() -> None:
    signal = Signal()

    async def leave_one_behind() -> None:
        TaskBell(signal)

    asyncio.run(leave_one_behind())
    signal.ring()

    assert signal._listeners == ()
