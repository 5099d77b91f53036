"""A target of the user's own: he says where the rows of a generation are, and the rest is the same for all."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from projections.model import Model
from projections.target import Generation, GenerationInfo, live_of
from projections.targets.memory import MemoryReader
from projections.targets.register import Register, register_of
from projections.targets.rows_apart import GenerationApart, RowsApart, RowsMissing, lost

OpenRows = Callable[[GenerationInfo, Model], RowsApart]


class CustomTarget:
    """Keeps a projection's rows wherever an object of the user's own puts them, exactly once in effect.

    Generations, positions, leases and parked events are kept beside the log. Queries fold nothing: they read all rows and choose
    among them in Python.

    Args:
        name: unique among the targets of a projection; only a table may have the same.
        open_rows: gives the rows of a generation, whose `number` and `made_us` together name it, with their model.
    """

    needs_sql = False
    divisible = True

    def __init__(self, name: str, open_rows: OpenRows) -> None:
        self.name = name
        self._open_rows = open_rows

    def bind(self, backend: Any, projection: str, model: Model) -> "BoundCustomTarget":
        """The target over one log."""
        return BoundCustomTarget(register_of(backend, projection, self.name), projection, model, self._open_rows)


class BoundCustomTarget:
    """The generations of one projection.

    Args:
        register: of the generations, beside the log.
        projection: the projection's name.
        model: of the rows.
        open_rows: gives those of a generation.
    """

    def __init__(self, register: Register, projection: str, model: Model, open_rows: OpenRows) -> None:
        self._register, self._projection, self._model = register, projection, model
        self._open_rows = open_rows
        self._opened: dict[int, tuple[int, RowsApart]] = {}

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._register.all()

    def generation(self, number: int) -> GenerationApart:
        """The generation of this number."""
        return GenerationApart(self._register, number, self._rows)

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1) -> GenerationApart:
        """A new, empty generation."""
        return self.generation(self._register.create(fingerprint, live=live, partitions=partitions))

    def swap(self, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """Makes a generation the live one."""
        return self._register.swap(generation.number, partitions=partitions, behind=behind)

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        return self._register.reopen(number)

    def drop(self, number: int) -> None:
        """Removes a generation that is not live, with its rows."""
        info = next((each for each in self._register.all() if each.number == number), None)
        if info is not None and self._register.retire(number):
            self._rows(info).delete()
            self._register.remove(number)

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows until further notice, or lets them again."""
        self._register.pause(paused=paused)

    @contextmanager
    def reading(self) -> Iterator[MemoryReader]:
        """A reader of the live rows."""
        while True:
            live = live_of(self._register.all())
            if live is None:
                yield MemoryReader(self._projection, {}, 0)
                return
            rows = self._live_rows(live)
            if rows is not None:
                yield MemoryReader(self._projection, rows, live.position, live.parked)
                return

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        yield self._all(self._register.one(number))

    def _live_rows(self, info: GenerationInfo) -> dict[Any, Any] | None:
        """The rows by key, read after the position was; None where other ones have become the live ones meanwhile."""
        try:
            rows = {getattr(row, self._model.key.name): row for row in self._rows(info).all()}
        except RowsMissing as error:
            if self._is_live(info):
                raise lost(info) from error
            return None
        return rows if self._is_live(info) else None

    def _is_live(self, info: GenerationInfo) -> bool:
        live = live_of(self._register.all())
        return live is not None and live.made_us == info.made_us

    def _all(self, info: GenerationInfo) -> list[Any]:
        try:
            return list(self._rows(info).all())
        except RowsMissing as error:
            raise lost(info) from error

    def _rows(self, info: GenerationInfo) -> RowsApart:
        """Opened once; again, if another generation has this number meanwhile."""
        opened = self._opened.get(info.number)
        if opened is None or opened[0] != info.made_us:
            opened = self._opened[info.number] = info.made_us, self._open_rows(info, self._model)
        return opened[1]
