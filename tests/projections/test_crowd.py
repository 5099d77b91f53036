"""Rebuilds, roll-backs and prunes while eight writers append and readers query: nobody sees an error, an empty or an older row."""

import pytest

from eventfold import ElasticsearchIndex, SqlTable
from tests.projections.crowd import Crowd, Tally, tallies
from tests.projections.shop import straight
from tests.services.elasticsearch import Elasticsearch

SECONDS = pytest.mark.parametrize(
    "seconds", [pytest.param(2.0, id="2s"), pytest.param(60.0, id="60s", marks=pytest.mark.slow)]
)


def assert_undisturbed(crowd: Crowd, seconds: float) -> None:
    """Lets the crowd loose; afterwards the rows equal the pure fold of the log."""
    crowd.run(seconds, swaps=1, looks=20)

    with crowd.open() as app:
        app.catch_up()
        rows = {row.item: row for row in app.query(Tally).all()}
        assert rows == straight(tallies, app.store.read_log())
        assert app.verify("tallies")[0].faults == []


@SECONDS
def test_while_many_write_and_read_a_table_is_rebuilt_and_nobody_sees_an_error_nor_an_older_row(
    url: str, seconds: float
) -> None:
    assert_undisturbed(Crowd(url, lambda: SqlTable("tallies"), remote=False, seed=int(seconds)), seconds)


@SECONDS
def test_while_many_write_and_read_an_index_is_rebuilt_and_nobody_sees_an_error_nor_an_older_row(
    sqlite_url: str, elasticsearch_server: Elasticsearch, elasticsearch_name: str, seconds: float
) -> None:
    def index() -> ElasticsearchIndex:
        return ElasticsearchIndex(elasticsearch_name, url=elasticsearch_server.url)

    assert_undisturbed(Crowd(sqlite_url, index, remote=True, seed=int(seconds)), seconds)
