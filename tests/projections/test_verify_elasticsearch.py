"""Documents that are not what the log makes of them are found and mended, also for a worker that remembers the faulty ones."""

from collections.abc import Iterator
from typing import Any

import pytest

from eventfold import Application, ElasticsearchIndex
from projections.targets.elasticsearch_document import id_of
from tests.projections.shop import EVENTS, Added, Stock, fill, rows_of, stock, straight


@pytest.fixture
def app(sqlite_url: str, elasticsearch_index: ElasticsearchIndex) -> Iterator[Application]:
    with Application(sqlite_url, projections=[stock.into(elasticsearch_index)], events=EVENTS) as app:
        fill(app.store, 40)
        app.catch_up()
        yield app


def spoil(app: Application) -> dict[Any, str]:
    """One document changed, and one gone, both without a newer version; and one that nobody made."""
    target: Any = app.engine.tracks[0].target
    index = target.generation(target.generations()[-1].number)._rows(target.generations()[-1]).index
    changed, gone = sorted(rows_of(app.engine, "stock"))[:2]
    for key, work in {changed: "index", gone: "delete", "nobody": "index"}.items():
        found = target.client.options(ignore_status=404).get(index=index, id=id_of(key))
        options: dict[str, Any] = {"version": found.get("_version", 1), "version_type": "external_gte"}
        if work == "index":
            options["document"] = {**found.get("_source", {"item": key, "steps": 1, "note": None}), "amount": -1}
        getattr(target.client, work)(index=index, id=id_of(key), refresh=True, **options)
    return {changed: "different", gone: "missing", "nobody": "extra"}


def test_spoilt_documents_are_found_and_mended_and_read_back(app: Application) -> None:
    spoilt = spoil(app)

    [found] = app.verify("stock")
    [mended] = app.verify("stock", repair=True)

    assert {each.key: each.kind for each in found.faults} == spoilt
    assert [each.repaired for each in mended.faults] == [True] * 3
    assert app.verify("stock")[0].faults == []
    assert rows_of(app.engine, "stock") == straight(stock, app.store.read_log())


def test_a_worker_that_remembers_a_faulty_document_folds_on_upon_the_mended_one(app: Application) -> None:
    key = next(iter(spoil(app)))
    app.engine.tracks[0].lanes[0].found(  # it has not remembered the rows that it has made itself
        app.engine.tracks[0].generation.info.checkpoints[0], app.engine.tracks[0].generation
    )
    app.engine.tracks[0].lanes[0]._rows = None
    app.store.append(f"item-{key}", [Added(1)])
    app.catch_up()
    remembered = app.engine.tracks[0].lanes[0].fetch([key]).rows[key]

    app.verify("stock", repair=True)
    app.store.append(f"item-{key}", [Added(1)])
    app.catch_up()

    assert isinstance(remembered, Stock)
    assert remembered != straight(stock, app.store.read_log(up_to=41)).get(key)
    assert rows_of(app.engine, "stock") == straight(stock, app.store.read_log())
