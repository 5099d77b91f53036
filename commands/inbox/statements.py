"""The SQL of an inbox."""

from eventstore.sql_database import SqlDatabase

_LANE = "consumer_group = ? AND channel = ? AND part = ?"
_KEPT = "number, consumer_group, channel, part, position, key, source, id, attributes, body, attempts, error, next_try, kept_at"

_DUE = 100
"""Up to so many messages are looked at together that it is time to try again."""


def statements(database: SqlDatabase) -> dict[str, str]:
    """Each by its name, in the database's dialect."""
    names = {
        each: database.qualified(f"{database.prefix}{each}")
        for each in ("inbox", "inbox_handled", "inbox_leases", "inbox_positions", "inbox_readers")
    }
    if database.dialect == "sqlite":
        return _named(names, _SQLITE)
    return {name: sql.replace("?", "%s") for name, sql in _named(names, _POSTGRESQL).items()}


class _Dialect:
    """What the two databases say in different words.

    Attributes:
        now: the database's clock, microseconds since 1970 UTC.
        lock: behind a SELECT.
        share: the same, where others may do so at the same time.
        pairs: a table `given(source, id)` of a JSON array of pairs.
        texts: a table `given(key)` of a JSON array of texts.
    """

    def __init__(self, now: str, lock: str, share: str, pairs: str, texts: str) -> None:
        self.now, self.lock, self.share, self.pairs, self.texts = now, lock, share, pairs, texts


_SQLITE = _Dialect(
    "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "",
    "",
    "(SELECT value ->> 0 AS source, value ->> 1 AS id FROM json_each(?)) AS given",
    "(SELECT value AS key FROM json_each(?)) AS given",
)
_POSTGRESQL = _Dialect(
    "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    " FOR UPDATE",
    " FOR SHARE",
    "(SELECT value ->> 0 AS source, value ->> 1 AS id FROM json_array_elements(?::json)) AS given",
    "(SELECT value AS key FROM json_array_elements_text(?::json)) AS given",
)


def _named(names: dict[str, str], dialect: _Dialect) -> dict[str, str]:
    return _of_lanes(names, dialect) | _of_messages(names["inbox"]) | _of_readers(names, dialect)


def _of_lanes(names: dict[str, str], dialect: _Dialect) -> dict[str, str]:
    positions, done, inbox = names["inbox_positions"], names["inbox_handled"], names["inbox"]
    aside = f"(SELECT count(*) FROM {inbox} AS aside WHERE {_same('aside', 'lane')})"
    return {
        "begin": f"INSERT INTO {positions} (consumer_group, channel, part) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        "lock": f"SELECT position, moves FROM {positions} WHERE {_LANE}{dialect.lock}",
        "share": f"SELECT position, moves FROM {positions} WHERE {_LANE}{dialect.share}",
        "claim": f"UPDATE {positions} SET moves = moves + 1 WHERE {_LANE} AND moves = ?",
        "move": f"UPDATE {positions} SET position = ?, moves = ?, moved_at = ? WHERE {_LANE}",
        "handled": f"SELECT source, id FROM {dialect.pairs} WHERE EXISTS "  # a join would have SQLite look through the whole table
        f"(SELECT 1 FROM {done} AS done WHERE done.consumer_group = ? AND done.source = given.source AND done.id = given.id)",
        "settle": f"INSERT INTO {done} (consumer_group, source, id, handled_at) "
        f"SELECT ?, source, id, ? FROM {dialect.pairs} WHERE true ON CONFLICT DO NOTHING",
        "remember": f"INSERT INTO {done} (consumer_group, source, id, handled_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (consumer_group, source, id) DO UPDATE SET handled_at = excluded.handled_at",
        "prune": f"DELETE FROM {done} WHERE (consumer_group, source, id) IN "
        f"(SELECT consumer_group, source, id FROM {done} WHERE handled_at < ? ORDER BY handled_at LIMIT ?)",
        "keys_aside": f"SELECT key FROM {dialect.texts} "
        f"WHERE EXISTS (SELECT 1 FROM {inbox} AS aside WHERE {_LANE} AND aside.key = given.key)",
        "status": f"SELECT lane.consumer_group, lane.channel, lane.part, position, moved_at, owner, {aside}, "
        f"{aside[:-1]} AND aside.attempts > 0 AND aside.next_try IS NULL) FROM {positions} AS lane "
        f"LEFT JOIN {names['inbox_leases']} AS lease ON {_same('lease', 'lane')} AND owned_until > {dialect.now} ORDER BY 1, 2, 3",
    }


def _of_messages(inbox: str) -> dict[str, str]:
    first = f"NOT EXISTS (SELECT 1 FROM {inbox} AS ahead WHERE {_same('ahead', 'aside', 'key')} AND ahead.number < aside.number)"
    behind = f"(SELECT count(*) FROM {inbox} AS behind WHERE {_same('behind', 'aside', 'key')} AND behind.number > aside.number)"
    marks = ", ".join("?" * 14)
    return {
        "set_aside": f"INSERT INTO {inbox} (consumer_group, channel, part, position, key, source, id, type, attributes, body, "
        f"attempts, error, next_try, kept_at) VALUES ({marks})",
        "by_number": f"SELECT {_KEPT} FROM {inbox} WHERE number = ?",
        "head": f"SELECT {_KEPT} FROM {inbox} WHERE {_LANE} AND key = ? ORDER BY number LIMIT 1",
        "followers": f"SELECT {_KEPT} FROM {inbox} WHERE {_LANE} AND key = ? AND number > ? ORDER BY number",
        "heads": f"SELECT {_KEPT}, {behind} FROM {inbox} AS aside WHERE number > ? AND {first} ORDER BY number LIMIT ?",
        "remove": f"DELETE FROM {inbox} WHERE number = ?",
        "next": f"UPDATE {inbox} SET next_try = ? WHERE attempts = 0 AND {_LANE} AND key = ? "
        f"AND number = (SELECT min(number) FROM {inbox} WHERE {_LANE} AND key = ?)",
        "failed": f"UPDATE {inbox} SET attempts = ?, error = ?, next_try = ? WHERE number = ?",
        "due": f"SELECT {_KEPT} FROM {inbox} WHERE {_LANE} AND next_try <= ? ORDER BY next_try, number LIMIT {_DUE}",
        "next_try": f"SELECT min(next_try) FROM {inbox} WHERE {_LANE}",
    }


def _of_readers(names: dict[str, str], dialect: _Dialect) -> dict[str, str]:
    leases, readers, now = names["inbox_leases"], names["inbox_readers"], dialect.now
    return {
        "beat": f"INSERT INTO {readers} (consumer_group, channel, name, alive_until) VALUES (?, ?, ?, {now} + ?) "
        "ON CONFLICT (consumer_group, channel, name) DO UPDATE SET alive_until = excluded.alive_until",
        "bury": f"DELETE FROM {readers} WHERE alive_until <= {now}",
        "alive": f"SELECT name FROM {readers} WHERE consumer_group = ? AND channel = ? ORDER BY name",
        "leave": f"DELETE FROM {readers} WHERE consumer_group = ? AND channel = ? AND name = ?",
        "owners": f"SELECT part, owner FROM {leases} WHERE consumer_group = ? AND channel = ? AND owned_until > {now}",
        "lease": f"INSERT INTO {leases} AS lease (consumer_group, channel, part, owner, owned_until) "
        f"VALUES (?, ?, ?, ?, {now} + ?) ON CONFLICT (consumer_group, channel, part) "
        "DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until "
        f"WHERE lease.owner = excluded.owner OR lease.owned_until <= {now}",
        "release": f"DELETE FROM {leases} WHERE {_LANE} AND owner = ?",
        "release_all": f"DELETE FROM {leases} WHERE consumer_group = ? AND channel = ? AND owner = ?",
    }


def _same(one: str, other: str, *more: str) -> str:
    """In one lane, and alike in more; where there is no key, nothing is alike."""
    return " AND ".join(f"{one}.{column} = {other}.{column}" for column in ("consumer_group", "channel", "part", *more))
