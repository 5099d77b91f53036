"""The driver's errors as Eventfold's, with what to do next. Passwords never stand in them."""

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from eventstore.errors import InvalidInput, NotMigrated, StoreBusy, StoreError, StoreUnavailable, Unsupported

_BUSY = (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure, pg.QueryCanceled)

_TRY_AGAIN = "Check that the server runs and that the URL names it, and try again."
_REPEAT = "An append under way may or may not be stored: repeat it with the same event ids, which stores it once."


class Translator:
    """Turns the errors of one database.

    Args:
        url: the database's.
        description: the database, for the messages.
    """

    def __init__(self, url: URL, description: str) -> None:
        self._password = url.password
        self._description = description

    def __enter__(self) -> None:
        """Holds no state, so that one translator serves all threads."""

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        """Raises the driver's and the pool's errors translated."""
        if isinstance(error, (psycopg.Error, SQLAlchemyError)):
            raise self.translate(error) from error

    def translate(self, error: BaseException) -> StoreError | InvalidInput:
        """One error of the driver or the pool as one of the tree."""
        error = (error.orig or error) if isinstance(error, DBAPIError) else error
        where, text = self._description, self._text(error)
        if isinstance(error, PoolTimeoutError):
            return StoreBusy(f"{where}: all connections are in use ({text}); nothing was stored. Raise `pool_size`.")
        if isinstance(error, _BUSY):
            return StoreBusy(
                f"{where}: somebody else held a lock for too long ({text}); nothing was stored. Find what keeps a "
                "transaction open (`eventfold status` names stalled appends), or raise `busy_seconds`."
            )
        if isinstance(error, (pg.UndefinedTable, pg.UndefinedFunction, pg.InvalidSchemaName)):
            return NotMigrated(f"{where}: {text}; run `eventfold migrate`, or open it with migrate=True")
        if isinstance(error, pg.ReadOnlySqlTransaction):
            return StoreError(f"{where}: {text}; nothing was stored. Write to the primary, outside of READ ONLY.")
        if isinstance(error, pg.DuplicateTable):
            return StoreError(f"{where}: {text}, and Eventfold did not make it; choose another `prefix` or `schema`")
        if isinstance(error, (pg.FeatureNotSupported, pg.NoActiveSqlTransaction)):
            return Unsupported(f"{where}: {text}")
        if isinstance(error, pg.ProgramLimitExceeded):  # to psycopg an OperationalError: a value too large for an index
            return InvalidInput(f"{where}: {text}; nothing was stored")
        if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            return StoreUnavailable(f"{where}: {text}. {_TRY_AGAIN}")
        if isinstance(error, psycopg.DataError):
            return InvalidInput(f"{where}: {text}; nothing was stored")
        return StoreError(f"{where}: {text}")

    def translate_append(self, error: BaseException) -> StoreError | InvalidInput:
        """An error in the middle of an append, of which the server may have stored what it could not confirm."""
        translated = self.translate(error)
        return StoreUnavailable(f"{translated} {_REPEAT}") if isinstance(translated, StoreUnavailable) else translated

    def _text(self, error: BaseException) -> str:
        lines = [line.strip() for line in str(error).splitlines()]
        text = " ".join(line for line in lines if not line.startswith("Is the server running")).rstrip(".?! ")
        return text.replace(self._password, "***") if self._password else text
