"""A target of the tests' own: rows in a dict, which any number of applications of this process share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventfold import CustomTarget
from projections.model import Model
from projections.target import Fetched, GenerationInfo


class Pages:
    """The rows of one generation by key, each with its position."""

    def __init__(self) -> None:
        self.rows: dict[Any, tuple[int, Any]] = {}

    def write(self, rows: Mapping[Any, Any], position: int, *, again: bool = False) -> None:
        for key, row in rows.items():
            known = self.rows.get(key, (-1, None))[0]
            if known < position or (again and known == position):
                self.rows[key] = position, row

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        found = {key: self.rows[key] for key in keys if key in self.rows}
        rows = {key: row for key, (_, row) in found.items() if row is not None}
        return Fetched(rows, ahead={key: position for key, (position, _) in found.items()})

    def all(self) -> Iterable[Any]:
        return [row for _, row in self.rows.values() if row is not None]

    def delete(self) -> None:
        self.rows.clear()


class Notebook:
    """Where the rows of all generations are, by number and the time they were made."""

    def __init__(self) -> None:
        self.pages: dict[tuple[int, int], Pages] = {}

    def target(self, name: str) -> CustomTarget:
        return CustomTarget(name, self.open)

    def open(self, info: GenerationInfo, _model: Model) -> Pages:
        """The rows of a generation."""
        return self.pages.setdefault((info.number, info.made_us), Pages())
