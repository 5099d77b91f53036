"""Sessions, which see their own writes, and watches, which tell of rows as they change."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from eventfold import Application, AsyncApplication, InvalidInput, NotYetVisible, Stale
from eventstore.token import token_of
from tests.projections.shop import EVENTS, Added, Closed, Stock, bindings, open_app


@pytest.fixture
def app(sqlite_url: str) -> Iterator[Application]:
    with open_app(sqlite_url) as app:
        yield app


def test_a_query_through_a_session_contains_what_was_written_through_it(app: Application) -> None:
    session = app.session()
    assert session.token is None
    session.wrote(_token(app, "a", 5))
    assert session.query(Stock).get("a") == Stock("a", 5, 1)
    assert session.query(Stock).where(amount__gt=1).count() == 1


def test_it_never_goes_back_to_an_older_write(app: Application) -> None:
    older, newer = _token(app, "a", 1), _token(app, "a", 2)
    session = app.session(newer)
    session.wrote(older)
    assert session.token == newer
    with pytest.raises(InvalidInput, match="token"):
        app.session("nonsense")


def test_a_stale_answer_says_so_to_whoever_asks_to_be_told(app: Application) -> None:
    token = _token(app, "a", 1)
    app.catch_up()
    later = f"{token[:-1]}{chr(ord(token[-1]) + 1)}"
    told: list[Stale] = []
    assert app.query(Stock).get("a", after=later, timeout=0, stale=told.append) == Stock("a", 1, 1)
    assert [(each.projection, each.wanted - each.reached) for each in told] == [("stock", 1)]
    with pytest.raises(NotYetVisible):
        app.query(Stock).get("a", after=later, timeout=0)
    assert app.query(Stock).get("a", after=token, stale=told.append) is not None
    assert len(told) == 1


def test_a_watch_tells_of_each_row_as_it_changes_and_goes_on_from_a_token(app: Application) -> None:
    with app.watch(Stock) as changes:
        app.store.append("item-a", [Added(1)])
        following = iter(changes)
        first = next(following)
        app.store.append("item-b", [Added(3)])
        app.store.append("item-a", [Closed()])
        rest = [next(following), next(following)]
    assert (first.key, first.row) == ("a", Stock("a", 1, 1))
    assert {(each.key, each.row) for each in rest} == {("b", Stock("b", 3, 1)), ("a", None)}
    with app.watch(Stock, after=first.token) as changes:
        assert {(each.key, each.row) for _, each in zip(range(2), changes, strict=False)} == {
            ("b", Stock("b", 3, 1)),
            ("a", None),
        }


def test_a_watch_with_conditions_tells_when_a_row_matches_no_more(app: Application) -> None:
    with app.watch(Stock, amount__gte=5) as changes:
        following = iter(changes)
        app.store.append("item-a", [Added(1)])
        app.store.append("item-a", [Added(6)])
        assert next(following).row == Stock("a", 7, 2, "6")
        app.store.append("item-a", [Added(-5)])
        gone = next(following)
    assert (gone.key, gone.row) == ("a", None)


def test_a_watch_that_waits_is_stopped_from_another_thread(app: Application) -> None:
    with app.watch(Stock) as changes:
        stopper = threading.Timer(0.05, changes.stop)
        stopper.start()
        assert list(changes) == []
        stopper.join()


def test_the_same_is_awaited_in_asyncio(sqlite_url: str) -> None:
    async def run() -> None:
        async with AsyncApplication(sqlite_url, projections=bindings(), events=EVENTS, migrate=True) as app:
            session = app.session()
            async with app.watch(Stock) as changes:
                await app.store.append("item-a", [Added(2)])
                change = await anext(aiter(changes))
                session.wrote(change.token)
            assert change.row == Stock("a", 2, 1, "2")
            assert await session.query(Stock).get("a") == change.row
            assert await session.query(Stock).as_of(position=0).get("a") is None
            [came] = await app.diff(Stock, "a", {"position": 0})
            assert came.change == "added"

    asyncio.run(run())


def _token(app: Application, item: str, amount: int) -> str:
    return token_of(app.store.append(f"item-{item}", [Added(amount)]).position)
