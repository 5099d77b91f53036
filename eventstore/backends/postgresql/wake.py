"""Wake-ups between processes: NOTIFY and LISTEN, each from a thread with a connection of its own.

A NOTIFY inside an append would take a lock of the whole server at its commit, so it is sent from outside, and one
stands for all appends of the last few milliseconds. Nothing is sent and nobody wakes while nothing happens.
"""

import os
import select
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

PAUSE_SECONDS = 0.005
RETRY_SECONDS = 0.5
READY_SECONDS = 1.0

_GONE = (psycopg.Error, SQLAlchemyError, OSError)


def own_connection(engine: Engine) -> "psycopg.Connection[Any]":
    """A connection like those of the pool, which the pool does not know."""
    pooled = engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
    pooled.detach()
    return connection


class Announcer:
    """Sends wake-ups. The thread is started by the first one.

    Args:
        engine: where connections come from.
        channel: the channel's name.
    """

    def __init__(self, engine: Engine, channel: str) -> None:
        self._engine = engine
        self._notify = f'NOTIFY "{channel}"'
        self._news = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.pid = 0

    def announce(self) -> None:
        """Asks for a wake-up; returns at once."""
        if self._news.is_set():
            return
        self._news.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(target=self._run, name="eventfold-notify", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Sends what was asked for and ends the thread."""
        with self._lock:
            self._closed.set()
            self._news.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while True:
            self._news.wait()
            closing = self._closed.is_set()
            self._news.clear()
            connection = self._send(connection) or self._send(None)  # once more if the connection was stale
            if closing or self._closed.wait(PAUSE_SECONDS):
                break
        if connection is not None:
            connection.close()

    def _send(self, connection: "psycopg.Connection[Any] | None") -> "psycopg.Connection[Any] | None":
        """Sends one; None where the server cannot be reached, whose return wakes everybody anyway."""
        try:
            if connection is None:
                connection = own_connection(self._engine)
                connection.execute("SET synchronous_commit = off")
                self.pid = connection.info.backend_pid
            connection.execute(self._notify)
        except _GONE:
            if connection is not None:
                connection.close()
            return None
        return connection


class Listener:
    """Calls `wake` at every announcement of another process, and whenever it listens again after a time of deafness.

    Making one waits, for a second at most, until it listens: whoever reads the log afterwards misses nothing.

    Args:
        engine: where connections come from.
        channel: the channel's name.
        wake: called from the thread.
        own_pid: the server's process that sends this store's own announcements, which wake nobody here.
    """

    def __init__(self, engine: Engine, channel: str, wake: Callable[[], None], own_pid: Callable[[], int]) -> None:
        self._engine = engine
        self._listen = f'LISTEN "{channel}"'
        self._wake = wake
        self._own_pid = own_pid
        self._begun = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="eventfold-listen", daemon=True)
        self._thread.start()
        self._begun.wait(READY_SECONDS)
        self._begun.set()

    def close(self) -> None:
        """Ends the thread."""
        os.close(self._stop_writer)
        self._thread.join()
        os.close(self._stop_reader)

    def _run(self) -> None:
        stopped = False
        while not stopped:
            try:
                self._follow()
                stopped = True
            except _GONE:
                stopped = self._wait(None, RETRY_SECONDS) is None

    def _follow(self) -> None:
        """Wakes until it is time to stop; raises when the server is gone."""
        with closing(own_connection(self._engine)) as connection:
            connection.execute(self._listen)
            if self._begun.is_set():
                self._wake()  # whatever happened while nobody listened
            self._begun.set()
            self._hear(connection)

    def _hear(self, connection: "psycopg.Connection[Any]") -> None:
        while self._wait(connection.fileno(), None) is not None:
            connection.pgconn.consume_input()
            pids = set()
            while (notification := connection.pgconn.notifies()) is not None:
                pids.add(notification.be_pid)
            if pids - {self._own_pid()}:
                self._wake()

    def _wait(self, socket: int | None, seconds: float | None) -> bool | None:
        """Whether there is something to read; None when it is time to stop."""
        poller = select.poll()
        poller.register(self._stop_reader, select.POLLIN | select.POLLHUP)
        if socket is not None:
            poller.register(socket, select.POLLIN)
        ready = [number for number, _ in poller.poll(None if seconds is None else seconds * 1000)]
        return None if self._stop_reader in ready else bool(ready)
