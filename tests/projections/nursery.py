"""Brings up victims quickly: a process that has imported everything forks one for each line of its input.

Run as `python -m tests.projections.nursery URL [ELASTICSEARCH NAME]`. For each line `SEED WORK` a child writes its pid, "ready" and
its reports; when it is gone, whatever ended it, the nursery writes a line with an X.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from select import select
from typing import Self

from tests.projections.shop import open_shop
from tests.projections.victim import WORK
from tests.projections.victim_elasticsearch import SEARCHED_WORK

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 0.05


class Nursery:
    """Victims in one database, one after the other.

    Args:
        url: of the database.
        index: the URL of Elasticsearch, and the name that the indices begin with, for victims that keep rows there.
    """

    def __init__(self, url: str, *index: str) -> None:
        command = [sys.executable, "-m", "tests.projections.nursery", url, *index]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._reports = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._orders.close()
        self._process.wait()
        self._reports.close()

    def run_until_killed(self, seed: int, work: str, wanted: int, when_quiet: Callable[[], None] = lambda: None) -> int:
        """Has a victim at work up to so many reports, kills it at once, and returns how many it has made in all.

        Args:
            seed: of what it does by chance.
            work: what it does.
            wanted: after how many reports it is killed.
            when_quiet: called whenever it has had nothing to report for a moment.
        """
        self._orders.write(f"{seed} {work}\n".encode())
        pid = int(self._reports.readline())
        assert self._reports.readline() == b"ready\n"
        heard = 0
        while heard < wanted:
            if select([self._reports], [], [], PATIENCE_SECONDS)[0]:
                assert self._reports.read(1) == b".", "it has ended by itself"
                heard += 1
            else:
                when_quiet()
        os.kill(pid, signal.SIGKILL)
        rest = self._reports.readline()
        assert rest.strip(b".") == b"X\n"
        return heard + rest.count(b".")


def main() -> None:
    index = sys.argv[2:]
    kinds: Mapping[str, Callable[..., None]] = SEARCHED_WORK if index else WORK
    for line in sys.stdin:
        seed, work = line.split()
        child = os.fork()
        if not child:
            try:
                os.write(1, f"{os.getpid()}\n".encode())
                kinds[work](open_shop(sys.argv[1]), random.Random(int(seed)), *index)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        os.write(1, b"X\n")


if __name__ == "__main__":
    main()
