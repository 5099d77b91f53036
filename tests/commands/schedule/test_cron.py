"""Cron expressions: as crontab reads them, in a time zone, also on the days when clocks change."""

import random
import sys
from datetime import UTC, datetime, timedelta

import pytest

from commands.schedule import cron as module
from commands.schedule.cron import Cron, cron_of
from commands.schedule.recurrence import Every
from eventfold import Unsupported
from eventstore.recorded import to_datetime, to_microseconds

BERLIN = "Europe/Berlin"
FORWARD, BACK = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
EXPRESSIONS = ["30 2 * * *", "*/15 2 * * *", "15,45 * * * *", "0 6 * * 1-5", "0 0 1 * *", "5 1-3 * * *", "0 6 13 * 5"]


def following(cron: Cron, start: datetime, number: int) -> list[datetime]:
    found, after = [], to_microseconds(start)
    for _ in range(number):
        after = cron.following(0, after)
        found.append(to_datetime(after))
    return found


@pytest.mark.parametrize(
    ("expression", "start", "hours"),
    [
        ("30 2 * * *", FORWARD - timedelta(hours=12), [13.0, 36.5]),  # there is no 02:30: right after the gap
        ("30 2 * * *", BACK - timedelta(hours=12), [12.5, 37.5]),  # there are two: the first
        ("0 * * * *", FORWARD - timedelta(hours=1), [1.0, 2.0, 3.0]),  # an hour is an hour
        ("0 * * * *", BACK - timedelta(hours=1), [1.0, 2.0, 3.0]),
        ("0 6 * * *", FORWARD - timedelta(hours=12), [16.0, 40.0]),
    ],
)
def test_instants_when_clocks_change(expression: str, start: datetime, hours: list[float]) -> None:
    found = following(Cron(expression, BERLIN), start, len(hours))

    assert [(each - start) / timedelta(hours=1) for each in found] == hours


def test_sunday_is_0_and_7_and_either_day_counts_where_both_are_given() -> None:
    start = datetime(2026, 3, 3, tzinfo=UTC)

    assert [each.day for each in following(cron_of("0 6 * * 0", "UTC"), start, 2)] == [8, 15]
    assert [each.day for each in following(cron_of("0 6 * * 7", "UTC"), start, 2)] == [8, 15]
    assert [each.day for each in following(cron_of("0 6 10 * 5", "UTC"), start, 3)] == [6, 10, 13]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_instants_ascend_and_the_latest_is_the_last_that_has_come(expression: str) -> None:
    cron, chance = Cron(expression, BERLIN), random.Random(expression)
    for day in (FORWARD, BACK, FORWARD + timedelta(days=60)):
        instants = following(
            cron, day - timedelta(days=4 if "," in expression else 70), 300 if "," in expression else 80
        )
        assert instants == sorted(set(instants))
        for _ in range(20):
            now = chance.choice(instants[:-1]) + timedelta(seconds=chance.randrange(4000))
            now = min(now, instants[-1])
            came = max(each for each in instants if each <= now)
            assert to_datetime(cron.latest(0, to_microseconds(now))) == came
            later = next((each for each in instants if each > now), None)
            assert later is None or to_datetime(cron.following(0, to_microseconds(now))) == later


def test_intervals_go_on_from_where_they_began() -> None:
    every = Every(10)

    assert [every.following(105, after) for after in (0, 104, 105, 114, 115)] == [105, 105, 115, 115, 125]
    assert [every.latest(105, now) for now in (105, 114, 115)] == [105, 105, 115]
    assert str(Every(3_600_000_000)) == "every 1 h"
    assert str(Every(90_010_500_000)) == "every 1 d 1 h 10.5 s"
    assert str(Cron("0 6 * * *", BERLIN)) == "0 6 * * * Europe/Berlin"


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    module._library.cache_clear()

    with pytest.raises(Unsupported, match="install eventfold with its extra `cron`"):
        cron_of("0 6 * * *", "UTC")
