"""The contract of a target itself: no case hides another, and it finds what is wrong with a target."""

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from projections import MemoryTable
from projections.model import model_of
from projections.selection import Selection
from projections.target import BoundTarget, Change, Generation
from projections.targets.memory import BoundMemoryTable, MemoryReader
from projections.targets.memory_select import selected
from projections.testing import TargetContract
from projections.testing.contract.base import TargetCases
from projections.testing.contract.selecting import ORDERS, ROWS
from projections.testing.contract.sharing import Sharing
from projections.testing.contract.vocabulary import Thing

GROUPS = [parent for parent in TargetContract.__mro__ if issubclass(parent, TargetCases)]


def cases(cls: type) -> list[str]:
    return [name for name, value in vars(cls).items() if name.startswith("test_") and value is not None]


def test_no_group_hides_a_case_of_another() -> None:
    names = Counter(name for group in GROUPS for name in cases(group))

    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) >= 40


def test_a_target_that_shares_no_rows_is_spared_the_cases_about_that_and_no_others() -> None:
    lacking: Any = type("Lacking", (TargetContract,), {"shares_rows": False})

    left_out = {name for name, value in inspect.getmembers(lacking) if name.startswith("test_") and value is None}

    assert left_out == set(cases(Sharing))


def test_a_subclass_without_a_target_is_told_what_to_define() -> None:
    fixture = TargetCases.target.__wrapped__  # type: ignore[attr-defined]

    with pytest.raises(NotImplementedError, match="define the fixture target"):
        fixture(TargetCases())


class AppliesFromAnywhere(BoundMemoryTable):
    def apply(self, number: int, change: Change) -> bool:
        return super().apply(number, replace(change, from_position=self.stored(number).info.position))


class KeepsDeletedRows(BoundMemoryTable):
    def apply(self, number: int, change: Change) -> bool:
        kept: Mapping[Any, Any] = {key: row for key, row in change.rows.items() if row is not None}
        return super().apply(number, replace(change, rows=kept))


class ForgetsTheError(BoundMemoryTable):
    def apply(self, number: int, change: Change) -> bool:
        return super().apply(number, replace(change, error=None))


class SwapsInWhatIsBehind(BoundMemoryTable):
    def swap(self, generation: Generation, *, partitions: int = 1) -> bool:
        return super().swap(generation) or super().swap(self.create("ahead", live=False)) or True


class DropsTheLiveOne(BoundMemoryTable):
    def drop(self, number: int) -> None:
        self._generations.pop(number, None)


class NothingLast(MemoryReader):
    def select(self, selection: Selection) -> list[Any]:
        name = selection.order[0].field if selection.order else "key"
        rows = selected(self._rows.values(), selection)
        return sorted(rows, key=lambda row: getattr(row, name) is None)


class ReadsNothingLast(BoundMemoryTable):
    @contextmanager
    def reading(self) -> Iterator[MemoryReader]:
        live = self._live()
        yield NothingLast("things", {} if live is None else live.rows, 0 if live is None else live.info.position)


class LosesTheFirstRow(BoundMemoryTable):
    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        yield list(self.stored(number).rows.values())[1:]


@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (AppliesFromAnywhere, "test_a_change_from_another_position_is_refused_and_leaves_nothing"),
        (KeepsDeletedRows, "test_a_row_is_replaced_whole_and_none_deletes_it"),
        (ForgetsTheError, "test_why_it_stands_still_is_kept_until_it_moves"),
        (SwapsInWhatIsBehind, "test_a_generation_behind_the_live_one_is_not_swapped_in"),
        (DropsTheLiveOne, "test_the_live_generation_is_not_dropped"),
        (LosesTheFirstRow, "test_a_retired_generation_is_still_readable"),
    ],
)
def test_the_contract_finds_a_broken_target(broken: type[BoundMemoryTable], case: str) -> None:
    method = getattr(TargetContract(), case)

    with pytest.raises(AssertionError):
        method(broken("things", "things"))
    method(BoundMemoryTable("things", "things"))


def test_the_contract_finds_rows_in_a_wrong_order() -> None:
    def ask(bound: BoundTarget) -> None:
        generation = bound.create("of the fold", live=True)
        generation.apply(Change({row.key: row for row in ROWS}, 0, 1, 1))
        with bound.reading() as reader:
            TargetContract().test_rows_come_in_order_nothing_first_and_page_by_page(reader, order)

    order = next(each for each in ORDERS if each[0].field == "number")
    with pytest.raises(AssertionError):
        ask(ReadsNothingLast("things", "things"))
    ask(MemoryTable("things").bind(None, "things", model_of(Thing)))
