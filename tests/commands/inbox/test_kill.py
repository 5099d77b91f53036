"""kill -9 between receive, effect, commit and confirm: every message is handled once in effect, in order per key."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eventfold import Consuming, Inbox
from eventstore.backend import Backend
from eventstore.sql_database import SqlDatabase
from tests.commands.inbox.orders import Faults, shipped, shipping
from tests.commands.inbox.victim import KEYS, PARTITIONS, RepeatingBroker, messages_of

MESSAGES = 60  # that come in for each life
ROOT = Path(__file__).parents[3]


def assert_once_and_in_order(numbers: list[int]) -> None:
    assert len(set(numbers)) == len(numbers)
    for key in range(KEYS):
        of_key = [each for each in numbers if each % KEYS == key]
        assert of_key == list(range(key, key + KEYS * len(of_key), KEYS))


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_given_one_consumer_after_the_other_killed_then_each_message_is_handled_once_in_order(
    url: str, backend: Backend, database: SqlDatabase, kills: int
) -> None:
    before, total = 0, MESSAGES * kills
    broker = RepeatingBroker(total, random.Random(0))
    survivor = Inbox(url, consumers=[shipping(Faults())], broker=lambda: broker, consuming=Consuming(batch=500))  # type: ignore[arg-type, return-value]  # its subscription is another one
    command = [sys.executable, "-m", "tests.commands.inbox.victim", url, str(total)]
    with (
        survivor,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as nursery,
    ):
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for seed in range(kills):
            nursery.stdin.write(f"{seed} {MESSAGES * (seed + 1)}\n")
            assert int(nursery.stdout.readline()) == -signal.SIGKILL
            numbers = shipped(database)
            assert_once_and_in_order(numbers)
            assert len(numbers) >= before
            before = len(numbers)
            survivor.retry()  # or after many deaths every key would wait behind a parked message
        nursery.stdin.close()
    assert before > kills

    ends = {number: str(len(messages_of(number, total))) for number in range(PARTITIONS)}
    with survivor, survivor.worker():
        while {each.partition: each.position for each in survivor.status()} != ends:
            time.sleep(0.02)
        while survivor.messages():
            survivor.retry()

    numbers = shipped(database)
    assert_once_and_in_order(numbers)
    assert len(numbers) == total
