"""The application asks the history, synchronously and awaited."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Event,
    InvalidInput,
    NewEvent,
    SnapshotPolicy,
    StreamNotFound,
)
from eventstore.loading import moment
from tests.eventfold.cli import shop


@pytest.fixture
def app() -> Iterator[AsyncApplication]:
    made = AsyncApplication("memory://", handlers=shop.PARTS["handlers"])
    made.sync.dispatch(shop.OpenOrder("o-1", "Ada"), occurred_at=datetime(1997, 1, 1, tzinfo=UTC))
    made.sync.dispatch(shop.AddItem("o-1", "tea", 300), occurred_at=datetime(1997, 2, 1, tzinfo=UTC))
    yield made
    made.sync.close()


def test_history_and_blame_and_bisect_speak_of_a_moment(app: AsyncApplication) -> None:
    asked: dict[str, Any] = {"occurred": datetime(1997, 1, 31, tzinfo=UTC)}

    assert [each.version for each in app.sync.history(shop.Order, "o-1")] == [1, 2]
    assert [each.version for each in app.sync.history(shop.Order, "o-1", **asked)] == [1]
    assert [each.field for each in app.sync.blame(shop.Order, "o-1", **asked)] == ["owner", "address", "items"]
    assert app.sync.bisect(shop.Order, "o-1", lambda order: bool(order.items), **asked) is None


def test_a_command_that_an_event_caused_links_its_events_to_it(app: AsyncApplication) -> None:
    first = next(app.sync.history(shop.Order, "o-1")).recorded.event_id

    app.sync.dispatch(shop.OpenOrder("o-2", "Bob"), causation_id=first)

    assert [each.recorded and each.recorded.stream for each in app.sync.effects(first)] == ["order-o-1", "order-o-2"]


def test_an_unknown_id_and_a_bad_moment_are_refused(app: AsyncApplication) -> None:
    with pytest.raises(StreamNotFound, match="order-o-9"):
        app.sync.blame(shop.Order, "o-9")
    with pytest.raises(StreamNotFound, match="order-o-9"):
        app.sync.bisect(shop.Order, "o-9", "true")
    with pytest.raises(InvalidInput, match="at_version"):
        app.sync.history(shop.Order, "o-1", at_version=-1)


def test_awaited_it_is_the_same(app: AsyncApplication) -> None:
    async def ask() -> None:
        steps = [step async for step in app.history(shop.Order, "o-1")]
        assert steps == list(app.sync.history(shop.Order, "o-1"))
        assert await app.blame(shop.Order, "o-1") == app.sync.blame(shop.Order, "o-1")
        assert await app.bisect(shop.Order, "o-1", "size(state.items) > 0") == steps[1]
        first = steps[0].recorded.event_id
        assert await app.causes(first) == app.sync.causes(first)
        assert await app.effects(first) == app.sync.effects(first)
        with pytest.raises(StreamNotFound):
            [step async for step in app.history(shop.Order, "o-9")]

    asyncio.run(ask())


def test_a_history_needs_no_application_open_on_a_database_before_it_is_asked(sqlite_url: str) -> None:
    with Application(sqlite_url, handlers=shop.PARTS["handlers"]) as made, pytest.raises(StreamNotFound):
        next(made.history(shop.Order, "o-1"))


class Filled(Event):
    litres: int


class Tank(Aggregate[Filled], snapshots=SnapshotPolicy(keep=5)):
    fillings: tuple[int, ...] = ()

    def evolve(self, event: Filled) -> "Tank":
        return Tank((*self.fillings, event.litres))


def test_what_was_known_when_is_exact_with_snapshots_too(sqlite_url: str) -> None:
    chance = random.Random(4)
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 6)]
    with Application(sqlite_url, events=Filled) as app:
        for number in range(12):
            late = NewEvent(Filled(number), occurred_at=chance.choice([None, *days]))
            app.store.append("tank-1", [late])
            if number % 3 == 2:
                app.snapshot(Tank, "1")
        events = list(app.store.read_stream("tank-1"))

        for known in [each.recorded_at for each in events]:
            for about in [None, *days]:
                wanted = [each for each in events if each.recorded_at <= known]
                wanted = [each for each in wanted if about is None or each.occurred_at <= about]
                loaded = app.store.load(Tank, "1", moment(at=known, occurred=about))
                assert loaded.state.fillings == tuple(each.event.litres for each in wanted)
        assert app.store.load(Tank, "1", moment(at=events[-1].recorded_at)).snapshot == 12
