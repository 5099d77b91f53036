"""A PostgreSQL that crashes takes back the last commits of read models, rows and position together. Queries notice."""

from collections.abc import Iterator

import pytest

from eventfold import Application, StoreUnavailable
from eventstore.token import token_of
from tests.projections.shop import Added, Stock, open_app, position_of, rows_of
from tests.services.postgresql import PostgresServer

CRASHES = 20


@pytest.fixture
def forgetful_postgres(private_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that writes what nobody waits for to its disk as late as it can, so that a crash loses it."""
    del private_postgres  # which has said whether there is a PostgreSQL here at all
    with PostgresServer({"wal_writer_delay": "10s", "wal_writer_flush_after": "2GB"}) as server:
        yield server


def read_again(app: Application, token: str) -> Stock | None:
    """Asks until a connection to the server that is back again was found."""
    while True:
        try:
            return app.query(Stock).get("a", after=token)
        except StoreUnavailable:
            continue


def test_given_a_server_that_has_lost_the_last_rows_then_a_query_with_a_token_still_contains_its_write(
    forgetful_postgres: PostgresServer,
) -> None:
    lost = 0
    with open_app(forgetful_postgres.create_database()) as app:
        for total in range(1, CRASHES):
            app.store.append("item-a", [Added(1)])
            token = token_of(app.store.head())
            assert app.query(Stock).get("a", after=token) == Stock("a", total, total)
            remembered = app.engine.find("stock")[0].position

            forgetful_postgres.kill()
            forgetful_postgres.start()

            lost += stored_position(app) < remembered
            assert read_again(app, token) == Stock("a", total, total)
            if lost >= 2:
                break
        assert lost >= 2, "no crash lost a commit of the read model, so nothing was tested"
        app.catch_up()
        assert rows_of(app.engine, "stock") == {"a": Stock("a", total, total)}


def stored_position(app: Application) -> int:
    while True:
        try:
            return position_of(app.engine, "stock")
        except StoreUnavailable:
            continue
