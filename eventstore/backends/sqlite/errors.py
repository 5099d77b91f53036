"""SQLite's errors as Eventfold's."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from eventstore.errors import StoreBusy, StoreError, StoreUnavailable


@contextmanager
def translated(description: str) -> Iterator[None]:
    """Raises SQLite's errors as `StoreBusy`, `StoreUnavailable` or `StoreError`, with what to do next."""
    try:
        yield
    except DBAPIError as error:
        raise translate(error.orig or error, description) from error
    except sqlite3.Error as error:
        raise translate(error, description) from error


def translate(error: BaseException, description: str) -> StoreError:
    """One error of the driver as one of the tree."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreBusy(
            f"{description}: another process held the write lock for too long ({text}); nothing was stored. Find what "
            "keeps a transaction open, or raise `busy_seconds`."
        )
    if "unable to open" in text or "readonly" in text:
        return StoreUnavailable(f"{description}: {text}; check that the folder exists and may be written to")
    if "not a database" in text or "malformed" in text:
        return StoreError(f"{description}: {text}; point the URL at a SQLite file that Eventfold made, or a new one")
    if "already exists" in text:
        return StoreError(f"{description}: {text}, and Eventfold did not make it; choose another `prefix`")
    if "full" in text:
        return StoreUnavailable(f"{description}: {text}; nothing was stored. Free some room and try again.")
    return StoreError(f"{description}: {text}")
