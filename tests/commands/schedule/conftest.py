"""Applications whose schedules go by a clock that only the tests move."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from eventfold import Application
from tests.commands.bank import BETWEEN, HANDLERS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def move(self, **time: float) -> None:
        self.now += timedelta(**time)


OpenApp: TypeAlias = Callable[..., Application]


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgresql)
everywhere = pytest.mark.parametrize("url", ["memory", "sqlite", POSTGRES], indirect=True)
in_sql = pytest.mark.parametrize("url", ["sqlite", POSTGRES], indirect=True)


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_app(url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenApp]:
    monkeypatch.setattr("commands.schedule.schedules.Schedules.__init__.__defaults__", (clock,))
    with ExitStack() as stack:

        def open_one(**options: Any) -> Application:
            return stack.enter_context(Application(url, **{"handlers": HANDLERS, "migrate": True, **options}))

        yield open_one
    BETWEEN.clear()


@pytest.fixture
def app(open_app: OpenApp) -> Application:
    return open_app()
