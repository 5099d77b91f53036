"""One idempotency key in several processes, all at one moment, and killed in the middle of it."""

import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from eventfold import Application
from tests.commands.bank import HANDLERS, Account
from tests.commands.sender import KEYS, amount_of, processes, send_at_once

ROOT = Path(__file__).parents[2]
PROCESSES, THREADS = 4, 16
DATABASES = ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgresql)]


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    with Application(url, handlers=HANDLERS, migrate=True) as app:
        _ = app.store
    return url


@pytest.mark.parametrize("url", DATABASES, indirect=True)
def test_64_dispatches_of_one_key_from_4_processes_give_one_append_and_64_equal_receipts(url: str) -> None:
    start, answers = processes.Barrier(PROCESSES * THREADS), processes.Queue()
    senders = [
        processes.Process(target=send_at_once, args=(url, THREADS, start, answers), daemon=True)
        for _ in range(PROCESSES)
    ]
    for each in senders:
        each.start()
    receipts = [receipt for _ in senders for receipt in answers.get(timeout=120)]
    for each in senders:
        each.join()

    assert receipts == [receipts[0]] * (PROCESSES * THREADS)
    assert msgspec.json.decode(receipts[0])["version"] == 1
    with Application(url, handlers=HANDLERS) as app:
        assert sum(1 for _ in app.store.read_log()) == 1


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("url", DATABASES, indirect=True)
def test_senders_killed_at_seeded_moments_have_done_each_command_at_most_once(url: str, kills: int) -> None:
    answered: set[int] = set()
    for seed in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands.sender", url, str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process, process.stdout as told:
            assert told.readline() == "ready\n"
            for _ in range(random.Random(seed).randrange(1, 12)):
                answered.add(int(told.readline().split()[0]))
            process.kill()
            answered.update(int(line.split()[0]) for line in told if line.endswith("\n"))

    with Application(url, handlers=HANDLERS) as app:
        balances = {
            number: app.load(Account, f"a-{number}").balance
            for number in range(KEYS)
            if app.store.stream_version(f"account-a-{number}")
        }
        assert answered <= balances.keys()
        assert balances == {number: amount_of(number) for number in balances}
        kept = {each.key for each in app.parts.ledger.page(None)}
        assert kept == {f"k-{number}" for number in balances}
