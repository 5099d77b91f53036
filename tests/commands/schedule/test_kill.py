"""kill -9 while commands are decided, and between their append and what is noted afterwards: each is done once all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.bank import Account, Deposit, Look
from tests.commands.schedule.conftest import in_sql
from tests.commands.schedule.victim import open_app

ROOT = Path(__file__).parents[3]
COMMANDS, ACCOUNTS = 20, 7


def start(url: str, *arguments: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.commands.schedule.victim", url, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def in_pairs(number: int) -> list[range]:
    return [range(first, min(first + 2, number)) for first in range(0, number, 2)]


@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=pytest.mark.slow)])
@in_sql
def test_processes_killed_while_they_fire_do_each_command_once_and_those_after_them_the_rest(
    url: str, kills: int
) -> None:
    commands = COMMANDS * kills
    with open_app(url, 0) as app, app.unit_of_work() as work:
        for number in range(commands):
            work.schedule(Deposit(f"b-{number % ACCOUNTS}", 1 + number), after=0)
            if not number % 10:
                work.schedule(Look("b-0"), after=0)
    for seeds in in_pairs(kills):  # the clock of each is ahead of the one before, whose leases it does not wait for
        victims = [start(url, seed, seed) for seed in seeds]
        assert [each.communicate() and each.returncode for each in victims] == [-9] * len(victims)
    minutes = kills + 1

    other = start(url, minutes)
    with open_app(url, minutes) as app:
        fired = app.fire_due() + int(other.communicate()[0])
        app.fire_due()
        amounts = [app.load(Account, f"b-{number}").balance for number in range(ACCOUNTS)]
        assert sum(amounts) == sum(range(1, commands + 1))
        assert app.load(Account, "ticks").balance == app.scheduled("ticks").fired
        assert {each.state for each in app.schedules() if each.name is None} == {"done"}
    assert fired > 0
