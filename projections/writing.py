"""Writes what was folded: everything for one database in one transaction."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from eventstore import Recorded, StoreBusy, StoreUnavailable
from projections.errors import ProjectionFailed
from projections.lane import Lane
from projections.target import Change


class Work(msgspec.Struct, frozen=True):
    """A change for one lane, the events that led to it, and the failure that ended it early.

    Where `poison`, the failure is the fault of an event. Unless `whole`, the change lacks rows that its lane has already.
    """

    lane: Lane
    change: Change
    events: Sequence[Recorded[Any]] = ()
    failure: ProjectionFailed | None = None
    poison: bool = True
    whole: bool = True


Outcome: TypeAlias = bool | Exception
"""True: written. False: another worker was faster. An error: the database refused these rows."""


def write_all(work: Sequence[Work]) -> list[Outcome]:
    """Writes every change; one that the database refuses fails alone."""
    outcomes: dict[int, Outcome] = {}
    databases: dict[int, list[int]] = {}
    for i, each in enumerate(work):
        home = getattr(each.lane.track.generation, "database", None)
        databases.setdefault(id(home) if home is not None else -1 - i, []).append(i)
    for indexes in databases.values():
        outcomes.update(zip(indexes, _write_together([work[i] for i in indexes]), strict=True))
    return [outcomes[i] for i in range(len(work))]


def _write_together(work: Sequence[Work]) -> list[Outcome]:
    if len(work) == 1:
        return [_write_alone(work[0])]
    try:
        database: Any = work[0].lane.track.generation.database  # type: ignore[attr-defined]  # those of one database have it
        with database.transaction() as connection:
            return [each.lane.track.generation.write(connection, each.change) for each in work]  # type: ignore[attr-defined]  # likewise
    except (StoreUnavailable, StoreBusy) as error:
        return [error] * len(work)
    except Exception:  # noqa: BLE001 - each is tried alone, and reports its own error
        return [_write_alone(each) for each in work]


def _write_alone(work: Work) -> Outcome:
    try:
        return work.lane.track.generation.apply(work.change)
    except Exception as error:  # noqa: BLE001 - reported in the projection's status
        return error
