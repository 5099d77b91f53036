import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.services.postgresql import Postgres, PostgresServer

ROOT = Path(__file__).parents[2]


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
