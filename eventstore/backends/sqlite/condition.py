"""Append conditions over types with one tag or two, as most are: one statement, made once for each shape."""

from functools import lru_cache

from eventstore.query import AppendCondition

MAX_PARTS = 16


def conflict(tags: str, condition: AppendCondition) -> tuple[str, list[str | int]] | None:
    """Finds one position that refuses an append; None where the condition is of another kind.

    Args:
        tags: the name of the table over (tag, type, position).
        condition: what may not have happened.
    """
    shape: list[int] = []
    params: list[str | int] = []
    for item in condition.query.items:
        count = len(item.tags)
        if count not in {1, 2} or not item.types:
            return None
        for name in item.types:
            shape.append(count)
            params += (name, condition.after, *item.tags)
    return (_statement(tags, tuple(shape)), params) if len(shape) <= MAX_PARTS else None


@lru_cache(maxsize=64)
def _statement(tags: str, shape: tuple[int, ...]) -> str:
    parts, first = [], 1
    for count in shape:
        marks = [f"?{first + i}" for i in range(count + 2)]
        parts.append((_one if count == 1 else _two)(tags, *marks))
        first += count + 2
    return " UNION ALL ".join(f"SELECT * FROM ({part} LIMIT 1)" for part in parts) + " LIMIT 1"


def _one(tags: str, name: str, after: str, tag: str) -> str:
    return f"SELECT position FROM {tags} WHERE tag = {tag} AND type = {name} AND position > {after}"


def _two(tags: str, name: str, after: str, one: str, two: str) -> str:
    """A tag that is rare drives, and the other one is looked up; of two that are not, the rarer one, as far as they are counted."""
    rows = [_one(tags, name, after, tag) for tag in (one, two)]
    rare, rarer = (f"NOT EXISTS ({each} LIMIT 1 OFFSET 16)" for each in rows)
    few, fewer = (f"(SELECT count(*) FROM ({each} LIMIT 200))" for each in rows)
    return f"""
        SELECT a.position FROM {tags} a
        WHERE a.tag = CASE WHEN {rare} THEN {one} WHEN {rarer} THEN {two} WHEN {few} <= {fewer} THEN {one} ELSE {two} END
          AND a.type = {name} AND a.position > {after}
          AND EXISTS (SELECT 1 FROM {tags} b
                      WHERE b.tag = CASE a.tag WHEN {one} THEN {two} ELSE {one} END
                        AND b.type = a.type AND b.position = a.position)"""
