"""Appending in a transaction that the caller has open: which connection that is, and whom its commit wakes."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, Union
from weakref import WeakSet

from sqlalchemy import Connection, Pool, event

from eventstore.errors import InvalidInput

if TYPE_CHECKING:  # most programs have no sessions, and should not wait for them at their start
    from sqlalchemy.orm import Session, scoped_session
    from typing_extensions import TypeIs

OpenTransaction: TypeAlias = Union[Connection, "Session", "scoped_session[Any]"]

_ANNOUNCE = "eventfold.announce"
_heard: WeakSet[Pool] = WeakSet()


def joined(given: OpenTransaction) -> Connection:
    """The connection of a caller's transaction, which is begun where it is not yet.

    Raises:
        InvalidInput: it is neither a connection nor a session.
    """
    connection = given.connection() if _is_session(given) else given
    if not isinstance(connection, Connection):
        raise InvalidInput(f"connection: expected a Connection or a Session of SQLAlchemy, got {given!r}")
    if not connection.in_transaction():  # SQLAlchemy begins by itself only where it runs the statement
        connection.begin()
    return connection


def _is_session(given: OpenTransaction) -> "TypeIs[Session | scoped_session[Any]]":
    """Whether it is a session: of a class that can only be there where somebody has imported it."""
    orm = sys.modules.get("sqlalchemy.orm")
    return orm is not None and isinstance(given, (orm.Session, orm.scoped_session))


def after_commit(connection: Connection, announce: Callable[[], None]) -> None:
    """Calls `announce` when the caller's connection goes back to its pool, which is after the commit."""
    connection.info.setdefault(_ANNOUNCE, {})[announce] = None  # each once, however often it is asked for
    pool = connection.engine.pool
    if pool not in _heard:  # event.contains() goes by id(), and takes a new pool for a dead one that lay where it lies
        event.listen(pool, "reset", _announce)
        _heard.add(pool)


def _announce(_connection: Any, record: Any, _state: Any) -> None:
    for announce in record.info.pop(_ANNOUNCE, ()):
        announce()
