"""Parked events, paused projections and their status, on the command line and through the applications."""

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from eventfold import AsyncApplication, EventParked, ParkedEvents, ProjectionPaused, SqlTable
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.parking import POISON, Day, Mood, Sold, app, days, in_memory

FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)


@pytest.fixture
def parking(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line where the events of a day are parked, from position 2 on, and one whose day could not be told."""
    monkeypatch.setattr(Mood, "broken", True)
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.parking:app"
    app.parts.use_database(cli.database)
    app.store.append("till-1", [Sold(FIRST, 1), Sold(FIRST, 13), Sold(SECOND, 2), Sold(FIRST, 3), Sold(SECOND, 99)])
    said = cli("worker", "run", "--until-caught-up", code=1).stderr
    assert "projection 'days' has parked" in said
    yield cli
    app.close()


def test_they_are_listed_and_shown_with_what_is_wrong(parking: Cli) -> None:
    listed = parking.json("projections", "parked", "list", "days")
    shown = parking.json("projections", "parked", "show", "days", "2026-01-01")
    keyless = parking.json("projections", "parked", "show", "days", "--no-key")

    assert [(each["key"], each["position"], each["events"], each["attempts"]) for each in listed] == [
        ("2026-01-01", 2, 2, 2),
        (None, 5, 1, 2),
    ]
    assert listed[0]["error"] == "ArithmeticError: thirteen"
    assert [(each["position"], each["stream"], each["type"], each["data"]["cents"]) for each in shown] == [
        (2, "till-1", "Sold", 13),
        (4, "till-1", "Sold", 3),
    ]
    assert [each["error"] for each in keyless] == ["key= raised KeyError: 'no day'"]


def test_they_are_retried_when_what_was_wrong_is_mended(parking: Cli) -> None:
    again = parking("projections", "parked", "retry", "days", "--format", "json", code=1)
    Mood.broken = False
    mended = parking("projections", "parked", "retry", "days", code=1)
    parking("projections", "rebuild", "days")

    assert '"folded":0,"left":2,"error":"ArithmeticError: thirteen"' in again.stdout
    assert "2026-01-01" in mended.stdout
    assert (
        "events whose key could not be told are left: `eventfold projections rebuild days` folds them" in mended.stderr
    )
    assert parking.json("query", "Day") == [{"day": "2026-01-01", "cents": 17}, {"day": "2026-01-02", "cents": 101}]
    assert parking.json("projections", "parked", "list") == []
    assert "nothing is parked" in parking("projections", "parked", "retry", "days").stderr


def test_they_are_discarded(parking: Cli) -> None:
    one = parking.json("projections", "parked", "discard", "days", "2026-01-01", "--position", "2")
    keyless = parking.json("projections", "parked", "discard", "days", "--no-key")
    parking("projections", "parked", "retry", "days", "2026-01-01")

    assert (one["discarded"], keyless["discarded"]) == (1, 1)
    assert parking.json("query", "Day", "2026-01-01")["cents"] == 4
    status = parking.json("projections", "status")[0]
    assert (status["state"], status["parked"], status["discarded"]) == ("live", 0, 2)


def test_what_cannot_be_is_refused_by_name(parking: Cli) -> None:
    parking("projections", "parked", "show", "days", code=2)
    parking("projections", "parked", "discard", "days", "2026-01-01", "--no-key", code=2)
    parking("projections", "parked", "show", "days", "yesterday", code=2)
    assert "no event of key" in parking("projections", "parked", "show", "days", "2020-01-01", code=1).stderr
    assert "there are: days" in parking("projections", "parked", "list", "nights", code=1).stderr
    assert "no event of key" in parking("projections", "parked", "retry", "days", "2020-01-01", code=1).stderr


def test_the_status_says_parked_and_why_within_80_columns(parking: Cli) -> None:
    status = parking.json("projections", "status")[0]
    table = parking("projections", "status").stdout

    assert (status["state"], status["parked"], status["lag"], status["events_behind"]) == ("parked", 3, 0, 0)
    assert "key= raised KeyError" in status["error"] or "thirteen" in status["error"]
    assert status["seconds_behind"] == 0.0
    assert status["rate"] > 0
    assert max(map(len, table.splitlines())) <= 80
    assert table.splitlines()[0].split() == ["projection", "state", "position", "lag", "parked", "error"]


def test_how_far_behind_it_is_is_told_in_events_and_seconds(parking: Cli) -> None:
    app.store.append("till-1", [Sold(SECOND, 1), Sold(SECOND, 1)])

    status = parking.json("projections", "status")[0]
    table = parking("projections", "status").stdout.splitlines()

    assert (status["lag"], status["events_behind"]) == (2, 2)
    assert 0 < status["seconds_behind"] < 600
    assert table[0].split() == ["projection", "state", "position", "lag", "secs", "per", "s", "parked", "error"]
    assert max(map(len, table)) <= 80


def test_a_projection_is_paused_resumed_and_reset(parking: Cli) -> None:
    Mood.broken = False
    assert "projection days is paused" in parking("projections", "pause", "days").stderr
    app.store.append("till-1", [Sold(SECOND, 5)])
    refused = parking("worker", "run", "--until-caught-up", code=1)
    paused = parking.json("projections", "status")[0]
    parking("projections", "resume", "days")
    parking("projections", "reset", "days")
    empty = parking.json("query", "Day")
    parking("worker", "run", "--until-caught-up")

    assert "`eventfold projections resume days`" in refused.stderr
    assert (paused["state"], paused["lag"]) == ("paused", 1)
    assert empty == []
    assert parking.json("query", "Day", "2026-01-02")["cents"] == 106
    assert parking.json("projections", "status")[0]["generation"] == 2


def test_the_applications_do_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mood, "broken", True)

    async def use() -> list[ParkedEvents]:
        target = SqlTable("days")
        async with AsyncApplication(
            f"sqlite:///{tmp_path / 'a.db'}", projections=[days.into(target, poison=POISON)]
        ) as made:
            await made.store.append("till-1", [Sold(FIRST, 13), Sold(SECOND, 13)])
            with pytest.raises(EventParked):
                await made.catch_up()
            parked = await made.parked()
            assert await made.discard_parked("days", FIRST, 1) == 1
            Mood.broken = False
            assert [each.folded for each in await made.retry_parked("days", SECOND)] == [1]
            await made.pause("days")
            await made.store.append("till-1", [Sold(SECOND, 1)])
            with pytest.raises(ProjectionPaused):
                await made.catch_up()
            await made.resume("days")
            await made.catch_up()
            assert await made.query(Day).all() == [Day(SECOND, 14)]
            await made.reset("days")
            await made.catch_up()
            assert await made.query(Day).all() == [Day(FIRST, 13), Day(SECOND, 14)]
        return parked

    assert [(each.key, each.position, each.events) for each in asyncio.run(use())] == [(FIRST, 1, 1), (SECOND, 2, 1)]


def test_rows_in_memory_are_mended_in_their_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mood, "broken", True)
    with in_memory as made:
        made.store.append("till-1", [Sold(FIRST, 13), Sold(FIRST, 1)])
        with pytest.raises(EventParked):
            made.catch_up()
        Mood.broken = False

        made.retry_parked("days")

        assert made.query(Day).all() == [Day(FIRST, 14)]
