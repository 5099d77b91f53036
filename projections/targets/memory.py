"""Rows in memory: for tests, for trials, and for small models that are folded anew at every start."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from msgspec.structs import replace

from projections.errors import InvalidQuery
from projections.model import Model
from projections.selection import Condition, Operator, Selection
from projections.target import Change, Generation, GenerationInfo

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge}


class MemoryTable:
    """Keeps a projection's rows in a dict.

    Args:
        name: unique among the targets of a projection.
    """

    def __init__(self, name: str = "memory") -> None:
        self.name = name

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundMemoryTable":
        """A fresh, empty target; the log's database plays no part in it."""
        return BoundMemoryTable(self.name, projection, model)


class MemoryGeneration:
    """One generation: its rows and where it stands."""

    def __init__(self, info: GenerationInfo, lock: threading.Lock) -> None:
        self.info = info
        self.rows: dict[Any, Any] = {}
        self._lock = lock

    def fetch(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The rows that exist under these keys."""
        rows = self.rows
        return {key: rows[key] for key in keys if key in rows}

    def apply(self, change: Change) -> bool:
        """Writes rows and position together."""
        with self._lock:
            if self.info.position != change.from_position or self.info.state == "retired":
                return False
            rows = dict(self.rows)
            for key, row in change.rows.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
            self.rows = rows
            self.info = replace(
                self.info,
                position=change.to_position,
                events=self.info.events + change.events,
                error=change.error,
                updated_us=time.time_ns() // 1000,
            )
            return True


class BoundMemoryTable:
    """The generations of one projection in memory."""

    def __init__(self, name: str, projection: str, model: Model) -> None:
        self._name, self._projection, self._model = name, projection, model
        self._lock = threading.Lock()
        self._generations: list[MemoryGeneration] = []

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return [each.info for each in self._generations]

    def live(self) -> MemoryGeneration | None:
        """The generation that queries see."""
        with self._lock:  # not between the two halves of a swap
            return self._live()

    def _live(self) -> MemoryGeneration | None:
        return next((each for each in self._generations if each.info.state == "live"), None)

    def create(self, fingerprint: str, *, live: bool) -> MemoryGeneration:
        """A new, empty generation; where another thread has just made the live one, that one."""
        with self._lock:
            if live and (found := self._live()) is not None:
                return found
            state = "live" if live else "building"
            number = max((each.info.number for each in self._generations), default=0) + 1
            now = time.time_ns() // 1000
            info = GenerationInfo(self._projection, self._name, number, state, fingerprint, 0, 0, None, now)
            generation = MemoryGeneration(info, self._lock)
            self._generations.append(generation)
            return generation

    def building(self, fingerprint: str) -> MemoryGeneration | None:
        """The generation that is being built for this fingerprint."""
        found = (each for each in self._generations if each.info.state == "building")
        return next((each for each in found if each.info.fingerprint == fingerprint), None)

    def swap(self, generation: Generation) -> bool:
        """Makes a generation the live one."""
        with self._lock:
            chosen = next(each for each in self._generations if each.info.number == generation.info.number)
            former = self._live()
            if former is not None and former.info.position > chosen.info.position:
                return False
            if former is not None:
                former.info = replace(former.info, state="retired")
            chosen.info = replace(chosen.info, state="live")
            return True

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""
        with self._lock:
            self._generations = [
                each for each in self._generations if each.info.number != number or each.info.state == "live"
            ]

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants."""
        rows = self._matching(selection)
        for order in reversed(selection.order):
            rows.sort(key=lambda row: _sortable(getattr(row, order.field)), reverse=order.descending)
        if selection.after is not None:
            rows = [row for row in rows if _is_after(row, selection)]
        return rows[: selection.limit]

    def count(self, selection: Selection) -> int:
        """How many they are."""
        return len(self._matching(selection))

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        yield next(each.rows for each in self._generations if each.info.number == number).values()

    def _matching(self, selection: Selection) -> list[Any]:
        if selection.expressions:
            raise InvalidQuery(
                f"projection {self._projection!r} is kept in memory, which takes no SQLAlchemy expressions; compare fields "
                "by keyword, as in where(amount__gt=100)"
            )
        live = self.live()
        rows = live.rows.values() if live is not None else ()
        return [row for row in rows if all(_holds(row, condition) for condition in selection.conditions)]


def _holds(row: Any, condition: Condition) -> bool:
    value, wanted = getattr(row, condition.field), condition.value
    match condition.operator:
        case "null":
            return (value is None) is wanted
        case "in":
            return bool(value in wanted)
        case "prefix":
            return isinstance(value, str) and value.startswith(wanted)
        case operator:
            return value is not None and bool(_COMPARE[operator](value, wanted))


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value)


def _is_after(row: Any, selection: Selection) -> bool:
    assert selection.after is not None  # noqa: S101 - for the type checker; the caller has looked
    for order, last in zip(selection.order, selection.after, strict=True):
        value, bound = _sortable(getattr(row, order.field)), _sortable(last)
        if value != bound:
            return value < bound if order.descending else value > bound
    return False
