"""The floors on PostgreSQL. One round trip for each transaction; texts joined and split, which beats lists and COPY."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from zlib import crc32

import psycopg

from benchmarks.domain import AccountEvent, Balance, fold_balance, tags_of
from benchmarks.raw import COLUMNS, Guarded, NewRow, new_row
from eventfold import Event

MARK = "\x1e"
INSERT_ONE = """INSERT INTO eventfold_events VALUES (nextval('eventfold_positions'), $1, $2::bigint, $3::bigint, $4, 1,
    $5::uuid, NULL, NULL, NULL, NULL, $6, $7)"""
INSERT_MANY = r"""INSERT INTO eventfold_events
    SELECT nextval('eventfold_positions'), stream, version, recorded_at, type, 1, event_id, NULL, NULL, NULL, NULL, NULL,
           payload
    FROM unnest(string_to_array($1, E'\x1e'), string_to_array($2, E'\x1e')::bigint[],
                string_to_array($3, E'\x1e')::bigint[], string_to_array($4, E'\x1e'),
                string_to_array($5, E'\x1e')::uuid[], string_to_array($6, E'\x1e'))
         AS rows(stream, version, recorded_at, type, event_id, payload)"""
# Locks first: shared for the tags that are written, exclusive for those that are guarded. Each statement of the function
# then has a new snapshot, so whoever held a lock before is seen.
FUNCTION = """CREATE OR REPLACE FUNCTION floor_append(
    keys integer[], modes boolean[], first text, second text, together boolean, after bigint,
    stream text, recorded_at bigint, type text, event_id uuid, tags_json text, payload text, tags text[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    position bigint;
BEGIN
    PERFORM CASE WHEN k.mode THEN pg_advisory_xact_lock(k.key) ELSE pg_advisory_xact_lock_shared(k.key) END
    FROM unnest(keys, modes) AS k(key, mode);
    IF together THEN
        PERFORM FROM eventfold_event_tags a
        WHERE a.tag = first AND a.type = $9 AND a.position > after AND EXISTS (
            SELECT FROM eventfold_event_tags b WHERE b.tag = second AND b.type = $9 AND b.position = a.position) LIMIT 1;
    ELSE
        PERFORM FROM eventfold_event_tags a WHERE a.tag = first AND a.type = $9 AND a.position > after
        UNION ALL SELECT FROM eventfold_event_tags a WHERE a.tag = second AND a.type = $9 AND a.position > after LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'the condition failed';
    END IF;
    position := nextval('eventfold_positions');
    INSERT INTO eventfold_events VALUES (
        position, stream, 1, recorded_at, $9, 1, event_id, NULL, NULL, NULL, NULL, tags_json, payload);
    INSERT INTO eventfold_event_tags SELECT t.tag, $9, position FROM unnest(tags) AS t(tag);
    RETURN position;
END $$"""
CALL = f"SELECT floor_append({', '.join(f'${i}' for i in range(1, 14))})"


class RawPostgres:
    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute(f"SET synchronous_commit = {'on' if durable else 'off'}")
        self._cursor: psycopg.RawCursor[Any] = psycopg.RawCursor(self.connection)

    def append_one(self, stream: str, version: int, event: Event) -> None:
        self._cursor.execute(INSERT_ONE, texts(new_row(stream, version, event)), prepare=True)

    def append_rows(self, rows: Sequence[NewRow]) -> None:
        streams, versions, recorded, types, ids, _tags, payloads = zip(*rows, strict=True)
        columns = [streams, map(str, versions), map(str, recorded), types, ids, payloads]
        self._cursor.execute(INSERT_MANY, [MARK.join(each) for each in columns], prepare=True)

    def append_whole(self, rows: Sequence[Any]) -> None:
        with (
            self.connection.transaction(),
            self._cursor.copy(f"COPY eventfold_events ({COLUMNS}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def append_guarded(self, append: Guarded) -> int:
        row, tags, (first, second), together, after = append
        modes = dict.fromkeys(map(_key, tags), "f")
        modes |= dict.fromkeys(map(_key, [first] if together else [first, second]), "t")
        keys = sorted(modes)
        self._cursor.execute(
            CALL,
            (
                _array(map(str, keys)),
                _array(modes[key] for key in keys),
                first,
                second,
                "t" if together else "f",
                str(after),
                row.stream,
                str(row.recorded_at),
                row.type,
                row.event_id,
                row.tags,
                row.payload,
                _array(tags),
            ),
            prepare=True,
        )
        return int(self._cursor.fetchall()[0][0])

    def make_guarded(self) -> None:
        self.connection.execute(FUNCTION)

    def page(self, after: int, limit: int) -> list[Any]:
        sql = f"SELECT {COLUMNS} FROM eventfold_events WHERE position > $1 ORDER BY position LIMIT $2"
        sql = sql.replace("event_id", "event_id::text")
        return self._cursor.execute(sql, (str(after), str(limit)), prepare=True, binary=True).fetchall()

    def payloads(self, stream: str, after: int = 0) -> list[tuple[str, str]]:
        sql = "SELECT type, payload FROM eventfold_events WHERE stream = $1 AND version > $2 ORDER BY version"
        return self._cursor.execute(sql, (stream, str(after)), prepare=True, binary=True).fetchall()

    def snapshot(self, stream: str) -> tuple[int, str]:
        sql = "SELECT version, state FROM eventfold_snapshots WHERE stream = $1 ORDER BY version DESC LIMIT 1"
        found: tuple[int, str] | None = self._cursor.execute(sql, (stream,), prepare=True, binary=True).fetchone()
        assert found is not None
        return found

    def seed(self, events: Iterable[tuple[str, int, Event]]) -> None:
        left, position, index = iter(events), 0, []
        copy_events = f"COPY eventfold_events ({COLUMNS}) FROM STDIN"
        with self.connection.transaction(), self._cursor.copy(copy_events) as copy:
            while part := list(islice(left, 10_000)):
                for stream, version, event in part:
                    position += 1
                    row = new_row(stream, version, event)
                    copy.write_row((position, *row[:4], 1, row.event_id, None, None, None, None, *row[5:]))
                    index += [(tag, row.type, position) for tag in tags_of(event)]
        with self.connection.transaction(), self._cursor.copy("COPY eventfold_event_tags FROM STDIN") as copy:
            for entry in sorted(index):
                copy.write_row(entry)
        self.connection.execute("SELECT setval('eventfold_positions', %s)", (position,))
        self.connection.execute("VACUUM ANALYZE")

    def make_balances(self, like: str) -> None:
        self.connection.execute("DROP TABLE IF EXISTS floor_balances, floor_checkpoint")
        self.connection.execute(f"CREATE TABLE floor_balances (LIKE {like} INCLUDING ALL)")
        self.connection.execute("CREATE TABLE floor_checkpoint AS SELECT 0::bigint AS position")

    def balances(self, keys: Sequence[str]) -> dict[str, Balance]:
        sql = "SELECT * FROM floor_balances WHERE account_id = ANY (string_to_array($1, E'\\x1e'))"
        rows = self._cursor.execute(sql, (MARK.join(keys),), prepare=True, binary=True).fetchall()
        return {row[0]: Balance(*row) for row in rows}

    def store_balances(self, rows: Sequence[Balance], position: int) -> None:
        keys, amounts, movements = zip(
            *[(row.account_id, str(row.amount), str(row.movements)) for row in rows], strict=True
        )
        sql = r"""WITH checkpoint AS (UPDATE floor_checkpoint SET position = $4::bigint)
            INSERT INTO floor_balances
            SELECT * FROM unnest(string_to_array($1, E'\x1e'), string_to_array($2, E'\x1e')::bigint[],
                                 string_to_array($3, E'\x1e')::bigint[])
            ON CONFLICT (account_id) DO UPDATE SET amount = excluded.amount, movements = excluded.movements"""
        columns = [MARK.join(each) for each in (keys, amounts, movements)]
        self._cursor.execute(sql, [*columns, str(position)], prepare=True)

    def append_folded(self, stream: str, version: int, event: AccountEvent) -> None:
        cursor, key = self._cursor, stream[8:]
        cursor.execute("BEGIN")
        cursor.execute(f"{INSERT_ONE} RETURNING position", texts(new_row(stream, version, event)), prepare=True)
        (position,) = cursor.fetchall()[0]
        cursor.execute(
            "SELECT * FROM floor_balances WHERE account_id = $1 FOR UPDATE", (key,), prepare=True, binary=True
        )
        found = cursor.fetchone()
        self.store_balances([fold_balance(Balance(*found) if found else None, key, event)], position)
        cursor.execute("COMMIT")

    def all(self, table: str) -> list[Any]:
        return self.connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    def close(self) -> None:
        self.connection.close()


def texts(row: NewRow) -> list[str | None]:
    """Parameters as text, so that integers of every size make one prepared statement."""
    return [None if each is None else str(each) for each in row]


def _key(tag: str) -> int:
    return crc32(tag.encode()) & 0x3FF


def _array(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"
