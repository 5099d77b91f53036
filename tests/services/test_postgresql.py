import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.services.postgresql import Postgres, PostgresServer

ROOT = Path(__file__).parents[2]

CATALOGS = ("pg_class", "pg_type", "pg_proc", "pg_trigger", "pg_namespace", "pg_extension", "pg_publication")
MADE: list[LiteralString] = [
    "CREATE TABLE numbers (number serial PRIMARY KEY)",
    "CREATE SCHEMA other",
    "CREATE TYPE other.mood AS ENUM ('calm')",
    "CREATE VIEW other.view AS SELECT number FROM numbers",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER refusal BEFORE DELETE ON numbers FOR EACH ROW EXECUTE FUNCTION refuse()",
    "CREATE PUBLICATION everything FOR ALL TABLES",
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
]


def put(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (number int)")
        connection.execute("INSERT INTO numbers VALUES (%s)", [number])


def numbers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]


def test_it_answers(postgres_server: Postgres) -> None:
    assert int(postgres_server.version.split(".")[0]) >= 15
    assert postgres_server.setting("synchronous_commit") == "on"


def test_one_that_may_be_killed_waits_for_the_disk(private_postgres: PostgresServer) -> None:
    assert private_postgres.setting("fsync") == "on"
    assert private_postgres.setting("full_page_writes") == "on"


def test_every_database_is_new_and_empty(postgres_url: str, postgres_server: Postgres) -> None:
    put(postgres_url, 1)
    other = postgres_server.create_database()
    try:
        with pytest.raises(psycopg.errors.UndefinedTable):
            numbers(other)
    finally:
        postgres_server.drop_database(other)
    assert numbers(postgres_url) == [1]


def test_a_database_is_dropped_under_an_open_connection(postgres_server: Postgres) -> None:
    url = postgres_server.create_database()
    with psycopg.connect(url):
        postgres_server.drop_database(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def things_in(url: str) -> dict[str, int]:
    """How many things of each kind there are."""
    with psycopg.connect(url) as connection:
        return {kind: connection.execute(f"SELECT count(*) FROM {kind}").fetchall()[0][0] for kind in CATALOGS}


def rights_in(url: str) -> list[tuple[object, ...]]:
    """Whose each schema is, who may use it, and what is set for the database."""
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT nspname, nspowner::regrole::text, nspacl::text[] FROM pg_namespace")
        settings = connection.execute(
            "SELECT setconfig::text FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid "
            "WHERE datname = current_database()"
        )
        return [*sorted(schemas), *settings]


def test_a_renewed_database_is_as_a_new_one_and_has_another_name(postgres_server: Postgres) -> None:
    used, new = postgres_server.create_database(), postgres_server.create_database()
    with psycopg.connect(used, autocommit=True) as connection:
        for statement in MADE:
            connection.execute(statement)
        connection.execute(f"ALTER DATABASE {used.rpartition('/')[2]} SET work_mem = '1MB'")

        renewed = postgres_server.renew_database(used)

        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    try:
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(used)
        assert things_in(renewed) == things_in(new)
        assert rights_in(renewed) == rights_in(new)
    finally:
        postgres_server.drop_database(renewed)
        postgres_server.drop_database(new)


def test_only_its_own_databases_are_dropped(postgres_server: Postgres) -> None:
    with pytest.raises(ValueError, match="'postgres' was not made by create_database"):
        postgres_server.drop_database(postgres_server.url)


def test_stop_kill_and_restart_keep_the_data_and_the_url(private_postgres: PostgresServer) -> None:
    url = private_postgres.create_database()
    put(url, 1)

    private_postgres.stop()
    private_postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    private_postgres.start()
    assert numbers(url) == [1]

    put(url, 2)
    private_postgres.kill()
    private_postgres.start()
    assert numbers(url) == [1, 2]

    private_postgres.restart()
    assert numbers(url) == [1, 2]
    with pytest.raises(RuntimeError, match="already running"):
        private_postgres.start()


@pytest.mark.parametrize("end", ["raise SystemError", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_the_server_ends_with_the_process_that_started_it(private_postgres: PostgresServer, end: str) -> None:
    program = f"""
import os, signal
from tests.services.postgresql import PostgresServer
server = PostgresServer()
server.start()
print(server.url, server.setting("data_directory"), flush=True)
{end}
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode in {1, -signal.SIGKILL}, ended.stderr
    url, data = ended.stdout.split()
    assert url != private_postgres.url
    deadline = time.monotonic() + 20
    while Path(data).parent.exists():
        assert time.monotonic() < deadline, "the server's folder is still there"
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert private_postgres.setting("fsync") == "on", "another server was ended too"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become another user")
def test_programs_that_the_unprivileged_user_cannot_reach_are_copied(
    private_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert private_postgres.setting("fsync") == "on", "there is a PostgreSQL to copy"
    monkeypatch.setattr(PostgresServer, "_can_execute", lambda _: False)
    with PostgresServer() as server:
        url = server.create_database()
        put(url, 1)
        assert numbers(url) == [1]
