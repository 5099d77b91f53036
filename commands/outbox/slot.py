"""The replication slot of an outbox: what makes PostgreSQL keep its write-ahead log until the messages in it are sent."""

import logging
import re
import zlib
from typing import Any

import msgspec

from eventstore import StoreError, Unsupported
from eventstore.sql_database import SqlDatabase

logger = logging.getLogger(__name__)

MAX_NAME = 63
THERE_ALREADY = ("42710", "23505")
"""What PostgreSQL calls an object, and a row of its catalogue, that is there already."""

_FIND = "SELECT plugin, database = current_database() FROM pg_replication_slots WHERE slot_name = %s"
_USED = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'seq')::regclass) IS NOT NULL"
"""Whether the table ever held a message."""
_STATUS = """
    SELECT active, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint,
           coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, coalesce(wal_status, 'lost')
    FROM pg_replication_slots WHERE slot_name = %s"""


class SlotStatus(msgspec.Struct, frozen=True):
    """How a slot does.

    Attributes:
        name: the slot's.
        active: whether somebody reads it.
        behind_bytes: how much of the write-ahead log its reader has not dealt with yet.
        held_bytes: how much of it the server keeps because of it.
        wal: `reserved`, `extended`, `unreserved` or `lost`, as the server says it. What is lost cannot be sent any more.
    """

    name: str
    active: bool
    behind_bytes: int
    held_bytes: int
    wal: str


class Slot:
    """Of one outbox in one database.

    Args:
        database: where the outbox is.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self.publication = f"{database.prefix}outbox"
        where = f"{database.prefix}outbox_{database.schema or ''}_{database.engine.url.database or ''}"
        self.name = slot_name(where)
        self._database, self._table = database, database.qualified(f"{database.prefix}outbox")

    def make(self) -> None:
        """Makes the slot and the publication, where they are not there yet.

        A slot that is gone, as after a failover to a server that had none, is made anew with a warning.

        Raises:
            Unsupported: the database is no PostgreSQL, or its write-ahead log does not say what is committed.
            StoreError: the database refused or is gone.
        """
        if self._database.dialect != "postgresql":
            raise Unsupported(f"{self._database.description}: only PostgreSQL says what is committed; use a relay")
        (level,) = self._run("SHOW wal_level")[0]
        if level != "logical":
            raise Unsupported(
                f"{self._database.description}: expected the setting wal_level = logical, got {level}; set it in postgresql.conf, "
                "restart the server, and try again. A relay needs no setting."
            )
        published = self._run("SELECT 1 FROM pg_publication WHERE pubname = %s", self.publication)
        if not published:
            self._run_new(
                f"CREATE PUBLICATION \"{self.publication}\" FOR TABLE {self._table} WITH (publish = 'insert')"
            )
        found = self._run(_FIND, self.name)
        if found and found[0] != ("pgoutput", True):
            raise Unsupported(
                f"{self._database.description}: the replication slot {self.name} is not an outbox's of this database; give the "
                "tables another prefix"
            )
        if found:
            return
        made = self._run_new("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", self.name)
        if made and published and self._run(_USED, self._table)[0][0]:
            logger.warning(
                "the replication slot %s was gone: what was not sent and is not in the table is lost", self.name
            )

    def status(self) -> SlotStatus | None:
        """How it does; None where there is none."""
        if self._database.dialect != "postgresql":
            return None
        rows = self._run(_STATUS, self.name)
        return SlotStatus(self.name, *rows[0]) if rows else None

    def drop(self) -> bool:
        """Lets the server forget it, for when nobody reads it any more; whether there was one.

        Raises:
            StoreError: somebody reads it.
        """
        self._run(f'DROP PUBLICATION IF EXISTS "{self.publication}"')
        return bool(
            self._run(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", self.name
            )
        )

    def _run_new(self, sql: str, *values: str) -> bool:
        """Makes something; False where somebody else was faster."""
        try:
            self._run(sql, *values)
        except StoreError as error:
            if getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) in THERE_ALREADY:
                return False
            raise
        return True

    def _run(self, sql: str, *values: str) -> list[Any]:
        with self._database.reading() as connection:
            cursor = connection.exec_driver_sql(sql, values)
            return [tuple(row) for row in cursor] if cursor.returns_rows else []


def slot_name(where: str) -> str:
    """A name that a slot may have; where letters had to be changed or left out, no other outbox comes to the same one."""
    plain = re.sub("[^a-z0-9_]", "_", where.lower())
    if plain == where and len(plain) <= MAX_NAME:
        return plain
    mark = f"_{zlib.crc32(where.encode()):08x}"
    return plain[: MAX_NAME - len(mark)] + mark
