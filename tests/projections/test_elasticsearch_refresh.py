"""When a search sees what was written: by the policy of the target, and over a swap."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from eventfold import Application
from eventfold.migrations import migrate
from eventstore.token import token_of
from projections import rebuild
from projections.target import Change
from projections.targets.elasticsearch import ElasticsearchIndex
from projections.testing.contract.vocabulary import EVENTS, Added, Thing, things
from tests.services.elasticsearch import Elasticsearch

LATE = 3600.0


@pytest.fixture
def open_things(sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str) -> Iterator[Any]:
    """Opens an application whose index is shown as late as it is said."""
    opened: list[Application] = []

    def open_(refresh: Any) -> Application:
        index = ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url, refresh=refresh)
        app = Application(sqlite_url, projections=[things.into(index)], events=EVENTS)
        migrate(app.store)
        opened.append(app)
        return app

    yield open_
    for each in opened:
        each.close()


def add(app: Application, *numbers: int) -> None:
    for number in numbers:
        app.store.append(f"thing-{number}", [Added(number)])


def found(app: Application) -> list[int | None]:
    return [row.number for row in app.query(Thing).order_by("number").all()]


def test_a_projection_that_waits_shows_each_batch_without_a_token_and_its_rebuild_waits_for_no_refresh(
    open_things: Any,
) -> None:
    app = open_things("wait_for")
    add(app, 1, 2, 3)
    app.catch_up()
    assert found(app) == [1, 2, 3]

    begun = time.monotonic()
    app.rebuild("things")
    taken = time.monotonic() - begun
    add(app, 4)
    app.catch_up()

    assert taken < 10
    assert found(app) == [1, 2, 3, 4]


def test_a_query_without_a_token_sees_as_late_as_the_target_says_and_one_with_it_at_once(open_things: Any) -> None:
    app = open_things(LATE)
    add(app, 1)
    app.catch_up()
    assert found(app) == [1]  # the first look shows what was written before
    add(app, 2)
    app.catch_up()

    without = found(app)
    with_token = app.query(Thing).count(after=token_of(app.store.append("thing-3", [Added(3)]).position))

    assert (without, with_token) == ([1], 3)


def test_after_a_swap_everything_is_seen_at_once_in_every_process(open_things: Any, elasticsearch_name: str) -> None:
    app, other = open_things(LATE), open_things(LATE)
    add(app, 1, 2)
    app.catch_up()
    assert found(other) == [1, 2]
    add(app, 3)

    rebuild(app.store, app.engine.tracks[0])

    assert found(app) == found(other) == [1, 2, 3]
    client, _ = app.query(Thing).index
    assert client.count(index=elasticsearch_name)["count"] == 3


def test_nobody_sees_older_rows_after_a_swap_than_those_that_were_ahead_of_their_position(open_things: Any) -> None:
    app = open_things(LATE)
    for number in (1, 1, 1):
        add(app, number)
    track = app.engine.tracks[0]
    live = track.target.create(track.projection.fingerprint, live=True)
    assert live.apply(Change({"1": Thing("1", 2)}, 0, 2, 2))
    live._rows(live.info).write({"1": Thing("1", 3)}, 3)  # by a worker that has not written the position yet
    assert app.query(Thing).get("1") == Thing("1", 3)
    assert found(app) == [3]

    built = track.target.create(track.projection.fingerprint, live=False)
    assert built.apply(Change({"1": Thing("1", 2)}, 0, 2, 2))
    assert track.target.swap(built)

    assert app.query(Thing).get("1") == Thing("1", 3)
    assert found(app) == [3]
