"""A table and what is no table may share a name: what is kept of each is told apart."""

import uuid

import pytest

from eventfold import Application, DefinitionError, ElasticsearchIndex, MemoryTable, SqlTable
from projections import rebuild, status_of
from projections.target_name import names_of
from tests.projections.notebook import Notebook
from tests.projections.searched_shop import assert_tracks_straight
from tests.projections.shop import EVENTS, bindings, fill, stock, totals
from tests.services.elasticsearch import Elasticsearch


def open_both(url: str, notebook: Notebook) -> Application:
    both = stock.into(SqlTable("stock"), notebook.target("stock"))
    return Application(url, projections=[both, totals.into(notebook.target("totals"))], events=EVENTS, migrate=True)


def test_each_has_its_own_generations_and_checkpoint(url: str) -> None:
    with open_both(url, Notebook()) as app:
        fill(app.store, 30)
        app.catch_up()
        table, pages = app.engine.find("stock")

        rebuild(app.store, pages)
        rebuild(app.store, pages)
        fill(app.store, 10, seed=1)
        pages.target.pause(paused=True)
        app.engine.step([table])
        told = [status_of(app.store, each) for each in (table, pages)]

    assert [(each.target, each.generation, each.state) for each in told] == [
        ("stock", 1, "live"),
        ("CustomTarget:stock", 3, "paused"),
    ]
    assert told[0].position > told[1].position


def test_a_table_and_an_index_of_one_name_are_kept_rebuilt_and_verified(
    sqlite_url: str, elasticsearch_server: Elasticsearch
) -> None:
    name = f"stock_{uuid.uuid4().hex[:12]}"
    both = stock.into(ElasticsearchIndex(name, url=elasticsearch_server.url), SqlTable(name))
    with Application(sqlite_url, projections=[both], events=EVENTS, migrate=True) as app:
        fill(app.store, 30)
        app.catch_up()
        app.rebuild("stock")
        assert [each.name for each in app.engine.tracks] == [f"ElasticsearchIndex:{name}", name]
        assert_tracks_straight(app.store, app.engine)
        assert app.verify("stock")[0].faults == app.verify("stock")[1].faults == []
    for index in elasticsearch_server.indices(f"{name}*"):
        elasticsearch_server.ask(f"/{index}", "DELETE")


def test_tables_of_an_earlier_release_are_told_apart_when_they_are_migrated(url: str) -> None:
    notebook = Notebook()
    with Application(url, projections=[*bindings()], events=EVENTS, migrate=True) as app:
        fill(app.store, 30)
        app.catch_up()
        app.pause("totals")
    with Application(url, projections=[totals.into(notebook.target("pages"))], events=EVENTS) as app:
        app.catch_up()
        app.pause("totals")
        database = app.store.backend.sql
        assert database is not None
        with database.transaction() as connection:
            for table in ("generations", "checkpoints", "parked", "paused"):
                connection.exec_driver_sql(f"UPDATE eventfold_{table} SET target = ltrim(target, ':')")
            connection.exec_driver_sql("ALTER TABLE eventfold_views DROP COLUMN superseded")
            connection.exec_driver_sql("DELETE FROM eventfold_migrations WHERE room = 'projections' AND number = 7")

    later = [stock.into(SqlTable("stock")), totals.into(SqlTable("totals"), notebook.target("pages"))]
    with Application(url, projections=later, events=EVENTS, migrate=True) as app:
        told = [status_of(app.store, each) for each in app.engine.tracks]
        app.resume("totals")
        assert_tracks_straight(app.store, app.engine)

    assert [(each.target, each.generation, each.state) for each in told] == [
        ("stock", 1, "live"),
        ("totals", 1, "paused"),
        ("pages", 1, "paused"),
    ]


def test_only_a_table_and_what_is_none_share_a_name_whatever_their_order() -> None:
    table, index, pages = SqlTable("a"), ElasticsearchIndex("a"), Notebook().target("a")

    assert names_of("p", [index, table, SqlTable("b")]) == ["ElasticsearchIndex:a", "a", "b"]
    assert names_of("p", [MemoryTable("a"), pages]) == ["a", "CustomTarget:a"]
    assert names_of("p", [index, SqlTable("b")]) == ["a", "b"]
    for same in ([table, SqlTable("a", url="sqlite:///b.db")], [index, pages], [table, MemoryTable("a")]):
        with pytest.raises(DefinitionError, match="projection 'p': two targets are called 'a'; give each its own name"):
            names_of("p", same)
