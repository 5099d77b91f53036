"""What changed in a row between two moments, field by field, and by which event."""

from typing import Any, Literal

import msgspec

from eventstore import EventStore, InvalidInput, Recorded
from eventstore.difference import Path, difference, field_of, plain
from projections.composite import lookup_of, row_at
from projections.fold import fold_key
from projections.moment import Moment
from projections.projection import Projection
from projections.touching import touching


class FieldChange(msgspec.Struct, frozen=True):
    """One field that differs.

    Attributes:
        path: where it stands in the row; empty where the row itself came or went.
        change: "added", "changed" or "removed".
        before: the value at the first moment, as JSON has it; None where it was not there.
        after: the value at the second moment; None where it is not there.
        recorded: the last event after which the field was another than before; None where no event of the time between
            did it alone, as when moments differ in what they know.
    """

    path: Path
    change: Literal["added", "changed", "removed"]
    before: Any
    after: Any
    recorded: Recorded[Any] | None

    @property
    def field(self) -> str:
        """The path as text, `address.city`; empty for the row itself."""
        return field_of(self.path)


def row_difference(
    store: EventStore, projection: Projection[Any], key: Any, first: Moment, last: Moment
) -> list[FieldChange]:
    """The fields of a row that differ between two moments; none where nothing does.

    Args:
        store: the log.
        projection: whose row.
        key: of the row.
        first: the one moment.
        last: the other one, not before it.

    Raises:
        InvalidInput: the second moment is before the first.
        ProjectionFailed: the fold raised.
    """
    if last.up_to < first.up_to or _sooner(last.recorded_until_us, first.recorded_until_us):
        raise InvalidInput(f"diff: expected the second moment not before the first, got {first} and {last}")
    before = row_at(store, projection, key, first)
    lookup = lookup_of(store, projection, last)
    known = {each.position for each in touching(store, projection, key, first)}
    row, changed_by = None, {}
    for recorded in touching(store, projection, key, last):
        following = fold_key(projection, key, [recorded], row, lookup)
        if recorded.position not in known:
            changed_by.update(dict.fromkeys(_changed(row, following), recorded))
        row = following
    return [_described(path, before, row, changed_by) for path in _changed(before, row)]


def _changed(before: Any, after: Any) -> list[Path]:
    if before is None or after is None:
        return [()] if before is not after else []
    return [each.path for each in difference(before, after)]


def _described(path: Path, before: Any, after: Any, changed_by: dict[Path, Recorded[Any]]) -> FieldChange:
    recorded = next((changed_by[path[:i]] for i in range(len(path), -1, -1) if path[:i] in changed_by), None)
    if not path:
        old, new = (None if each is None else plain(each) for each in (before, after))
        return FieldChange((), "added" if before is None else "removed", old, new, recorded)
    found = next(each for each in difference(before, after) if each.path == path)
    return FieldChange(path, found.change, found.before, found.after, recorded)


def _sooner(one: int | None, other: int | None) -> bool:
    return one is not None and (other is None or one < other)
