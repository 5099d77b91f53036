"""Opens the ledger of a log's idempotency keys."""

from commands.idempotency.ledger import Ledger
from commands.idempotency.memory_keys import MemoryKeys
from commands.idempotency.sql_keys import SqlKeys
from eventstore import EventStore


def open_ledger(store: EventStore) -> Ledger:
    """The idempotency keys of a log, which it keeps from now on with the appends that come with one."""
    database = store.backend.sql
    ledger = Ledger(MemoryKeys() if database is None else SqlKeys(database))
    store.accompany(ledger, first=True)
    return ledger
