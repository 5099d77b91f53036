"""Processes that fire scheduled commands: all that is due, or until they kill themselves at a seeded moment."""

import os
import random
import signal
import sys
from collections.abc import Callable

from commands.clock import now_us
from eventfold import Application, Envelope, Receipt, Schedule
from tests.commands.bank import BETWEEN, HANDLERS, Deposit

TICKS = Schedule("ticks", Deposit("ticks", 1), every=60, missed="all")


def open_app(url: str, minutes: int, **options: object) -> Application:
    """An application whose clock is ahead."""
    app = Application(url, handlers=HANDLERS, schedules=[TICKS], migrate=True, **options)
    app.parts.schedules.clock = lambda: now_us() + minutes * 60_000_000
    return app


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, minutes: int, seed: int | None) -> None:
    chance = random.Random(seed)
    left, decided = chance.randrange(1, 8), chance.random() < 0.5

    def count_down(envelope: Envelope, call_next: Callable[[Envelope], Receipt]) -> Receipt:
        nonlocal left
        left -= 1
        if seed is not None and not left and decided:
            BETWEEN.append(die)
        receipt = call_next(envelope)
        if seed is not None and not left:
            die()  # its events are stored, and nothing is noted yet
        return receipt

    with open_app(url, minutes, middleware=[count_down]) as app:
        os.write(1, f"{app.fire_due()}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
