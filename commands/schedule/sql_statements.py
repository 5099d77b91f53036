"""The SQL of scheduled commands."""

COLUMNS = (
    "id, name, declared, command, data, carried, recurrence, missed, "
    "state, due_at, look_at, owner, attempts, fired, error, made_at, ended_at"
)
_DECLARATION = ("command", "data", "carried", "recurrence", "missed", "declared")
_NAMED = "(id = ? OR name = ?)"


def statements(table: str, dialect: str) -> dict[str, str]:
    """Each by its name. Lists come as JSON, so that a statement is the same however long they are."""
    sqlite = dialect == "sqlite"
    listed = "(SELECT value FROM json_each(?))" if sqlite else "(SELECT json_array_elements_text(?::json))"
    handled = (
        f"(SELECT value AS command FROM {'json_each(?)' if sqlite else 'json_array_elements_text(?::json)'}) AS handled"
    )
    ours = f"(declared = 0 OR name IN {listed})"
    waiting = f"FROM {table} AS kept WHERE state = 'waiting' AND kept.command = handled.command"
    found = {
        "insert": _insert(table),
        "declare": _declare(table),
        "find": f"SELECT {COLUMNS} FROM {table} WHERE {_NAMED}",
        "page": f"SELECT {COLUMNS} FROM {table} WHERE state IN {listed} AND (due_at, id) > (?, ?) "
        "ORDER BY due_at, id LIMIT ?",
        "counts": "SELECT count(*), count(CASE WHEN due_at <= ? THEN 1 END), min(due_at), "
        f"(SELECT count(*) FROM {table} WHERE state = 'failed' AND ended_at IS NOT NULL) FROM {table} WHERE state = 'waiting'",
        "next_look": f"SELECT min(look) FROM (SELECT (SELECT look_at {waiting} AND {ours} ORDER BY look_at LIMIT 1) AS look "
        f"FROM {handled}) AS looks",
        "lease": f"WITH due AS MATERIALIZED ({(_due_on_sqlite if sqlite else _due_on_postgresql)(table, handled, waiting, ours)}) "
        f"UPDATE {table} SET owner = ?, look_at = ? WHERE id IN (SELECT id FROM due) RETURNING {COLUMNS}",
        "renew": f"UPDATE {table} SET look_at = ? WHERE owner = ? AND state = 'waiting'",
        "take": f"UPDATE {table} SET owner = ?, look_at = ?, state = 'waiting', ended_at = NULL "
        f"WHERE {_NAMED} AND state IN ('waiting', 'failed') RETURNING {COLUMNS}",
        "move": f"UPDATE {table} SET state = ?, due_at = ?, look_at = ?, owner = ?, attempts = ?, fired = ?, error = ?, "
        "ended_at = ? WHERE id = ? AND state = 'waiting' AND due_at = ? AND fired = ?",
        "cancel": f"UPDATE {table} SET state = 'cancelled', owner = NULL, ended_at = ? "
        f"WHERE {_NAMED} AND state IN ('waiting', 'failed')",
        "prune": f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE state = ? AND ended_at < ? "
        "AND declared = 0 ORDER BY ended_at LIMIT ?)",
    }
    return found if sqlite else {name: sql.replace("?", "%s") for name, sql in found.items()}


def _due_on_sqlite(table: str, handled: str, waiting: str, ours: str) -> str:
    """Of each command that is handled, the first few; of them the first few. So nobody looks through what others are to do."""
    first = f"SELECT id {waiting} AND look_at <= ? AND {ours} ORDER BY look_at LIMIT ?"
    return f"SELECT id FROM {handled} JOIN {table} AS due ON due.id IN ({first}) ORDER BY look_at LIMIT ?"


def _due_on_postgresql(_table: str, handled: str, waiting: str, ours: str) -> str:
    """The same. What is locked and not taken is free again when the statement's transaction ends."""
    first = f"SELECT id, look_at {waiting} AND look_at <= ? AND {ours} ORDER BY look_at LIMIT ? FOR UPDATE SKIP LOCKED"
    return f"SELECT id FROM {handled} CROSS JOIN LATERAL ({first}) AS due ORDER BY look_at LIMIT ?"


def _insert(table: str) -> str:
    marks = ", ".join("?" for _ in COLUMNS.split(","))
    return f"INSERT INTO {table} AS kept ({COLUMNS}) VALUES ({marks})"


def _declare(table: str) -> str:
    """Nothing is written where it is there as it was declared, so that every start may declare it."""
    changes = ", ".join(f"{each} = excluded.{each}" for each in COLUMNS.split(", ") if each != "name")
    kept = ", ".join(f"kept.{each}" for each in _DECLARATION)
    declared = ", ".join(f"excluded.{each}" for each in _DECLARATION)
    again = "(kept.state <> 'waiting' AND excluded.declared = 0)"
    return f"{_insert(table)} ON CONFLICT (name) DO UPDATE SET {changes} WHERE ({kept}) <> ({declared}) OR {again}"
