"""Applications for the tests of the write side, driven alike whether threads or an event loop run them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol, TypeAlias

import pytest

from eventfold import Application, AsyncApplication, Command, EventStore, Receipt
from tests.commands.bank import BETWEEN, HANDLERS


class Driver(Protocol):
    """An application, blocking on each call."""

    store: EventStore

    def dispatch(self, command: Command, **options: Any) -> Receipt: ...

    def load(self, aggregate: Any, stream_id: str) -> Any: ...


class Threaded:
    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self.app = Application(url, **options)
        self.store = self.app.store

    def dispatch(self, command: Command, **options: Any) -> Receipt:
        return self.app.dispatch(command, **options)

    def load(self, aggregate: Any, stream_id: str) -> Any:
        return self.app.load(aggregate, stream_id)

    def close(self) -> None:
        self.app.close()


class Looped:
    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self.app = AsyncApplication(url, **options)
        self.store = self.app.sync.store
        self._runner = asyncio.Runner()

    def dispatch(self, command: Command, **options: Any) -> Receipt:
        return self._runner.run(self.app.dispatch(command, **options))

    def load(self, aggregate: Any, stream_id: str) -> Any:
        return self._runner.run(self.app.load(aggregate, stream_id))

    def close(self) -> None:
        self._runner.run(self.app.close())
        self._runner.close()


OpenDriver: TypeAlias = Callable[..., Driver]


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    return "memory://" if request.param == "memory" else sqlite_url


@pytest.fixture(params=[Threaded, Looped], ids=["sync", "async"])
def open_driver(request: pytest.FixtureRequest, url: str) -> Iterator[OpenDriver]:
    """Opens applications; each test runs against the sync and the async one."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> Driver:
            driver = request.param(url, {"handlers": HANDLERS, **options})
            stack.callback(driver.close)
            return driver

        yield open_one


@pytest.fixture
def app(open_driver: OpenDriver) -> Iterator[Driver]:
    yield open_driver()
    BETWEEN.clear()
