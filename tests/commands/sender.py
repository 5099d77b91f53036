"""Processes that send commands with idempotency keys: all at one moment, or until they are killed."""

import os
import random
import sys
import threading
from multiprocessing import get_context

import msgspec

from eventfold import Application, Receipt
from tests.commands.bank import HANDLERS, Deposit

processes = get_context("spawn")
KEYS = 12


def amount_of(number: int) -> int:
    return 1 + number


def send_at_once(url: str, threads: int, start: "threading.Barrier", answers: "object") -> None:
    """Every thread sends the same command under the same key, once all processes are ready."""
    app = Application(url, handlers=HANDLERS)
    _ = app.store
    found: list[bytes] = []

    def send() -> None:
        start.wait()
        try:
            found.append(msgspec.json.encode(app.dispatch(Deposit("a-1", 5), idempotency_key="once")))
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            found.append(repr(error).encode())

    senders = [threading.Thread(target=send) for _ in range(threads)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    app.close()
    answers.put(found)  # type: ignore[attr-defined]  # a queue of multiprocessing


def send_until_killed(url: str, seed: int) -> None:
    """Sends one of a few commands after the other, each under its key, and says which was answered."""
    chance = random.Random(seed)
    app = Application(url, handlers=HANDLERS)
    os.write(1, b"ready\n")
    while True:
        number = chance.randrange(KEYS)
        receipt: Receipt = app.dispatch(Deposit(f"a-{number}", amount_of(number)), idempotency_key=f"k-{number}")
        os.write(1, f"{number} {receipt.version}\n".encode())


if __name__ == "__main__":
    send_until_killed(sys.argv[1], int(sys.argv[2]))
