"""Appends that are repeated with the same event ids: the first result again, or a refusal."""

from collections.abc import Sequence

from eventstore.backend import PreparedRow, Row, WriteRequest, Written
from eventstore.errors import DuplicateEventId


def rows_of(request: WriteRequest) -> list[tuple[str, PreparedRow]]:
    """Every row of a request with its stream, in order.

    Raises:
        DuplicateEventId: the request uses an id twice.
    """
    rows = [(write.stream, row) for write in request.writes for row in write.rows]
    seen: set[str] = set()
    for stream, row in rows:
        if row[2] in seen:
            raise DuplicateEventId(row[2], stream, "this append uses it twice")
        seen.add(row[2])
    return rows


def first_result(rows: Sequence[tuple[str, PreparedRow]], stored: Sequence[Row | None]) -> Written | None:
    """What the first append of these rows returned; None where none of the ids is in the log.

    Args:
        rows: what is to be appended.
        stored: for each of them the event that has its id.

    Raises:
        DuplicateEventId: some of the ids are in the log, but not as this append.
    """
    present = [row for row in stored if row is not None]
    if not present:
        return None
    if len(present) < len(stored):
        raise DuplicateEventId(present[0][6], present[0][1], "it is stored, but not every id of this append is")
    versions: dict[str, int] = {}
    for (stream, row), old in zip(rows, present, strict=True):
        if (stream, row[0], row[1], row[3], row[7], row[8]) != _content(old):
            raise DuplicateEventId(old[6], old[1], f"it is stored as version {old[2]} with other content")
        if versions.get(stream, old[2] - 1) != old[2] - 1:
            raise DuplicateEventId(old[6], old[1], f"it is stored as version {old[2]} by another append")
        versions[stream] = old[2]
    return Written(max(row[0] for row in present), versions)


def _content(row: Row) -> tuple[object, ...]:
    return (row[1], row[4], row[5], row[7], row[11], row[12])
