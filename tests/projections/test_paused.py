"""Two workers in two processes, one of them stopped past its leases and woken again: nothing is written twice."""

import random
import signal
import subprocess
from collections.abc import Callable
from select import select

import pytest

from eventstore import StoreBusy
from projections import Engine
from projections.leases import Leases
from tests.projections.conftest import OpenShop
from tests.projections.shop import (
    assert_counted_once,
    assert_each_partition_straight,
    assert_straight,
    divided,
    fill,
    positions,
)
from tests.projections.test_kill import victim
from tests.projections.victim import LEASE_SECONDS

EVENTS = 40


def reported(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether the victim has said something; what it said is taken away."""
    assert process.stdout is not None
    ready, _, _ = select([process.stdout], [], [], seconds)
    return bool(ready and process.stdout.read(1))


def stop(process: "subprocess.Popen[bytes]", takes_over: Callable[[], None]) -> None:
    """Stops a worker, and has another one take over; where that has to wait for a lock of the stopped one, stops it elsewhere."""
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            takes_over()
        except StoreBusy:
            process.send_signal(signal.SIGCONT)
            reported(process, 1)
        else:
            return


@pytest.mark.parametrize("seed", range(3))
def test_when_a_worker_is_stopped_past_its_leases_and_woken_then_its_late_write_changes_nothing(
    url: str, open_store: OpenShop, seed: int
) -> None:
    chance = random.Random(seed)
    store = open_store()
    engine = Engine(store, divided(), batch_size=5)
    survivor = Leases(engine, name="survivor", seconds=LEASE_SECONDS)
    fill(store, EVENTS, seed=seed)
    with victim(url, seed, "work") as process:
        for _ in range(chance.randrange(1, 6)):
            assert reported(process, 60)

        def read_on() -> None:
            fill(store, EVENTS, seed=1000 + seed)
            while min(positions(engine)) < store.head():  # the survivor has to wait for the leases to end
                survivor.keep()
                engine.step(owner="survivor")

        stop(process, read_on)
        taken = positions(engine)

        process.send_signal(signal.SIGCONT)
        again = 0
        while again < 3:
            fill(store, 1, seed=2000 + store.head())
            survivor.keep()
            engine.step(owner="survivor")
            again += reported(process, 0.05)
            now = positions(engine)
            assert all(one >= other for one, other in zip(now, taken, strict=True))
            taken = now
    assert_each_partition_straight(store, engine)
    engine.catch_up()
    assert_straight(store, engine)
    assert_counted_once(store, engine)
