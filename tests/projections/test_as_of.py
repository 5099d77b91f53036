"""Read models as they were: one row by the events that touch it, whole models in memory, and what differs between moments."""

import random
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest

from eventfold import (
    Application,
    Event,
    InvalidInput,
    InvalidQuery,
    NewEvent,
    NotFound,
    Recorded,
    SqlTable,
    Struct,
    Tag,
    by_tag,
    count_of,
    projection,
    replace,
    sum_of,
)
from projections.moment import moment_in
from tests.projections.conftest import OpenShop
from tests.projections.shop import EVENTS, Added, Closed, Moved, Stock, Total, bindings, fill, stock, straight, totals


class Joined(Event):
    course: Annotated[str, Tag("course")]


class Course(Struct, frozen=True):
    name: str
    members: int = 0


@projection("courses", key=by_tag("course"))
def courses(row: Course | None, recorded: Recorded[Joined], name: str) -> Course:
    row = row or Course(name)
    return replace(row, members=row.members + 1)


class Seen(Struct, frozen=True):
    item: str
    events: int = 0


@projection("seen")
def seen(row: Seen | None, recorded: Recorded[Added | Closed]) -> Seen | None:
    row = row or Seen(recorded.stream_id)
    return replace(row, events=row.events + 1)


@pytest.fixture
def app(url: str) -> Any:
    chosen = [*bindings(), courses.into(SqlTable("courses")), seen.into(SqlTable("seen"))]
    with Application(url, projections=chosen, events=EVENTS, migrate=True) as app:
        yield app


def test_given_any_moment_then_every_row_is_what_a_straight_fold_makes_of_the_events_until_then(
    app: Application,
) -> None:
    fill(app.store, 60)
    chance = random.Random(5)
    for position in [0, app.store.head(), *(chance.randrange(app.store.head()) for _ in range(5))]:
        until = list(app.store.read_log(up_to=position))
        for folded, model in ((stock, Stock), (totals, Total), (seen, Seen)):
            expected = straight(folded, until)
            then = app.query(model).as_of(position=position)
            assert {getattr(row, folded.model.key.name): row for row in then} == expected
            for key in [*expected, *list(straight(folded, app.store.read_log()))[:3]]:
                assert then.get(key) == expected.get(key)


def test_conditions_order_counts_and_measures_hold_for_the_past_too(app: Application) -> None:
    fill(app.store, 40)
    then = app.query(Total).as_of(position=20)
    rows = then.all()
    assert [each.bucket for each in then.order_by("-bucket")] == sorted((each.bucket for each in rows), reverse=True)
    assert then.where(events__gte=2).count() == sum(each.events >= 2 for each in rows)
    assert then.aggregate(all=sum_of("events"))["all"] == sum(each.events for each in rows)
    assert then.where(events__gte=99).get(rows[0].bucket) is None


def test_rows_keyed_by_a_tag_are_found_by_it(app: Application) -> None:
    for i in range(6):
        app.store.append(f"student-{i}", [Joined(f"c{i % 2}")])
    assert app.query(Course).as_of(position=4).get("c1") == Course("c1", 2)
    app.catch_up()
    assert app.query(Course).get("c1") == Course("c1", 3)


def test_an_id_in_several_categories_is_one_row(app: Application) -> None:
    for stream in ("item-a", "shelf-a", "a", "item+x-a", "item-b"):
        app.store.append(stream, [Added(1)])
    assert app.query(Seen).as_of(position=app.store.head()).get("a") == Seen("a", 4)


def test_what_had_occurred_by_an_instant_is_told_from_what_was_known(app: Application) -> None:
    first, second = datetime(1997, 1, 31, tzinfo=UTC), datetime(1997, 6, 30, tzinfo=UTC)
    app.store.append("item-a", [NewEvent(Added(1), occurred_at=second)])
    app.store.append("item-a", [NewEvent(Added(2), occurred_at=first)])
    assert app.query(Seen).as_of(occurred=first).get("a") == Seen("a", 1)
    assert app.query(Seen).as_of(occurred=second).all() == [Seen("a", 2)]
    assert app.query(Seen).as_of(at=second).get("a") is None
    assert app.query(Seen).as_of(at=datetime.now(UTC) + timedelta(seconds=5), occurred=second).get("a") == Seen("a", 2)


def test_a_version_of_a_stream_is_a_moment(app: Application) -> None:
    app.store.append("item-a", [Added(1), Added(2)])
    app.store.append("item-b", [Added(3)])
    assert app.query(Seen).as_of(stream="item-a", version=1).all() == [Seen("a", 1)]
    assert app.query(Seen).as_of(stream="item-a", version=0).all() == []
    with pytest.raises(NotFound, match=r"stream 'item-a': expected a version from 0 to 2, which it has, got 3"):
        app.query(Seen).as_of(stream="item-a", version=3)


def test_what_cannot_be_a_moment_is_refused(app: Application) -> None:
    with pytest.raises(InvalidInput, match="stream and version belong together"):
        app.query(Seen).as_of(version=3)
    with pytest.raises(InvalidInput, match="position: expected"):
        app.query(Seen).as_of(position=-1)
    with pytest.raises(InvalidInput, match="at: expected"):
        app.query(Seen).as_of(at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(InvalidQuery, match="does not wait for a write"):
        app.query(Seen).as_of(position=1).get("a", after="1")


def test_a_whole_model_is_folded_once_for_all_questions_about_one_moment(app: Application) -> None:
    fill(app.store, 20)
    then, past = app.query(Total).as_of(position=10), app.engine.past
    assert past.rows(totals, moment_in(app.store, position=10)) is past.rows(totals, moment_in(app.store, position=10))
    pages = then.page(size=2), then.aggregate(n=count_of())
    assert pages[1]["n"] >= len(pages[0].items)
    for position in range(9):
        past.rows(totals, moment_in(app.store, position=position))
    assert len(past._kept) == 4


def test_a_difference_names_the_event_that_last_changed_each_field(app: Application) -> None:
    store = app.store
    store.append("item-a", [Added(2), Added(4)])
    before = store.head()
    store.append("item-b", [Moved("a", 3)])
    last = store.append("item-a", [Added(6)]).position
    found = {each.field: each for each in app.diff(Stock, "a", {"position": before})}
    assert [(name, each.before, each.after) for name, each in found.items()] == [
        ("amount", 6, 15),
        ("steps", 2, 4),
        ("note", "4", "6"),
    ]
    assert {each.recorded and each.recorded.position for each in found.values()} == {last}


def test_a_row_that_came_or_went_is_one_difference(app: Application) -> None:
    store = app.store
    store.append("item-a", [Added(2)])
    gone = store.append("item-a", [Closed()]).position
    [came] = app.diff(Stock, "a", {"position": 0}, {"position": 1})
    assert (came.change, came.before, came.field) == ("added", None, "")
    [went] = app.diff(Stock, "a", {"position": 1})
    assert (went.change, went.after, went.recorded and went.recorded.position) == ("removed", None, gone)
    assert app.diff(Stock, "a", {"position": 0}) == []
    with pytest.raises(InvalidInput, match="not before the first"):
        app.diff(Stock, "a", {"position": 2}, {"position": 1})


def test_the_store_of_the_tests_is_the_one_of_the_application(open_store: OpenShop) -> None:
    with open_store() as store:
        fill(store, 3)
        assert moment_in(store, position=99).up_to == store.head()
