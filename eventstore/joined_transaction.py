"""Appending in a transaction that the caller has open: which connection that is, and whom its commit wakes."""

from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, scoped_session

from eventstore.errors import InvalidInput

OpenTransaction: TypeAlias = Connection | Session | scoped_session[Any]

_ANNOUNCE = "eventfold.announce"


def joined(given: OpenTransaction) -> Connection:
    """The connection of a caller's transaction, which is begun where it is not yet.

    Raises:
        InvalidInput: it is neither a connection nor a session.
    """
    connection = given.connection() if isinstance(given, (Session, scoped_session)) else given
    if not isinstance(connection, Connection):
        raise InvalidInput(f"connection: expected a Connection or a Session of SQLAlchemy, got {given!r}")
    if not connection.in_transaction():  # SQLAlchemy begins by itself only where it runs the statement
        connection.begin()
    return connection


def after_commit(connection: Connection, announce: Callable[[], None]) -> None:
    """Calls `announce` when the caller's connection goes back to its pool, which is after the commit."""
    connection.info[_ANNOUNCE] = announce
    if not event.contains(connection.engine.pool, "reset", _announce):
        event.listen(connection.engine.pool, "reset", _announce)


def _announce(_connection: Any, record: Any, _state: Any) -> None:
    announce = record.info.pop(_ANNOUNCE, None)
    if announce is not None:
        announce()
