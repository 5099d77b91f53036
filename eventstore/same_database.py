"""Whether a caller's transaction is in the database of the tables. The databases say so, since each may have several names."""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from eventstore.errors import InvalidInput
from eventstore.sql_database import SqlDatabase

_POSTGRESQL = "SELECT current_database(), pg_postmaster_start_time()::text"
_SQLITE = "SELECT file FROM pragma_database_list WHERE name = 'main'"

_told: WeakKeyDictionary[Engine, Any] = WeakKeyDictionary()
"""What the database of each engine has said of itself."""


def check_same(database: SqlDatabase, connection: Connection) -> None:
    """Whether a connection is to that database; asked once for each engine, unless they differ.

    Raises:
        InvalidInput: it is to another one.
    """
    given = connection.engine
    if given.pool is database.engine.pool:
        return
    dialect = given.dialect.name
    if dialect != database.dialect:
        raise _another(database, given)
    with database.translating():
        if given not in _told:
            _told[given] = _asked(connection)
        if database.engine not in _told:
            _told[database.engine] = _asked_there(database)
        if _differ(dialect, given, database.engine):  # a server that was started again says another instant
            _told[given], _told[database.engine] = _asked(connection), _asked_there(database)
            if _differ(dialect, given, database.engine):
                raise _another(database, given)


def _asked(connection: Connection) -> Any:
    return tuple(connection.exec_driver_sql(_SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL).one())


def _asked_there(database: SqlDatabase) -> Any:
    with database.reading() as connection:
        return _asked(connection)


def _differ(dialect: str, one: Engine, other: Engine) -> bool:
    first, second = _told[one], _told[other]
    if dialect != "sqlite" or first == second:
        return bool(first != second)
    (file,), (other_file,) = first, second
    try:
        return not Path(file).samefile(other_file)
    except OSError:  # one of them is in memory, say
        return True


def _another(database: SqlDatabase, given: Engine) -> InvalidInput:
    return InvalidInput(
        f"connection: expected one to {database.description}, where the tables are, got one to "
        f"{given.url.render_as_string(hide_password=True)}; nothing was stored. Open the transaction in the same database, or "
        "leave the connection out."
    )
