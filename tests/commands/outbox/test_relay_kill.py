"""kill -9 of relays at random points, two at a time: everything arrives, and each key in its order."""

import os
import random
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import IO

import msgspec

from commands import NewMessage, Outbox
from tests.commands.outbox.shop import Numbered

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("EVENTFOLD_RELAY_KILLS", "3"))
KEYS, EACH = 9, 40


class Pipes:
    """What reached the broker, by key, whichever relay said it."""

    def __init__(self) -> None:
        self.kept: defaultdict[str, list[int]] = defaultdict(list)
        self.count = 0
        self.more = threading.Condition()

    def read(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            key, _, data = line.rstrip(b"\n").partition(b" ")
            if data:
                with self.more:
                    self.kept[key.decode()].append(msgspec.json.decode(data, type=Numbered).n)
                    self.count += 1
                    self.more.notify_all()

    def wait_for(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: self.count >= count, timeout=60)


class Victim:
    def __init__(self, url: str, seed: int, pipes: Pipes) -> None:
        command = [sys.executable, "-m", "tests.commands.outbox.victim", url, str(seed)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.reading = threading.Thread(target=pipes.read, args=(self.process.stdout,))
        self.reading.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_given_relays_that_are_killed_at_any_moment_then_each_key_arrives_whole_and_in_order(sql_url: str) -> None:
    chance = random.Random(7)
    pipes = Pipes()
    with Outbox(sql_url, migrate=True) as outbox:
        fill(outbox)
        forget_the_lease(outbox)
        victims = [Victim(sql_url, seed, pipes) for seed in range(2)]
        for number in range(KILLS):
            pipes.wait_for(min(pipes.count + chance.randrange(1, 30), KEYS * EACH))
            victims.pop(0).kill()
            forget_the_lease(outbox)
            victims.append(Victim(sql_url, number + 2, pipes))
        while outbox.status().pending:
            with pipes.more:
                pipes.more.wait(0.05)
        for each in victims:
            each.kill()

    for key in range(KEYS):
        assert list(dict.fromkeys(pipes.kept[f"k{key}"])) == list(range(EACH))


def fill(outbox: Outbox) -> None:
    for n in range(EACH):
        outbox.send(*[NewMessage(Numbered(n), key=f"k{key}") for key in range(KEYS)])


def forget_the_lease(outbox: Outbox) -> None:
    """On SQLite, as if the half minute had passed after which another relay has its turn."""
    database = outbox.store.backend.sql
    assert database is not None
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE eventfold_outbox_relay SET until_us = 0")
