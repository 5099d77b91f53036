"""Values: each comes back equal, as a row and as a key."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from msgspec import Struct, defstruct

from projections.selection import Condition, Selection
from projections.testing.contract.base import FINGERPRINT, BindTarget, TargetCases, reading, rows_of, write
from projections.testing.contract.vocabulary import Colour, Everything

KEYS: list[tuple[type, list[Any]]] = [
    (str, ["", "a'b", '"', "%", "\\", "é🎈", "[1]", "null", "A", "a", " a "]),
    (int, [-(2**63), -1, 0, 2**63 - 1]),
    (bool, [True, False]),
    (date, [date(1, 1, 1), date(9999, 12, 31)]),
    (datetime, [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]),
    (UUID, [UUID(int=0), UUID(int=2**128 - 1)]),
    (Colour, [Colour.RED, Colour.BLUE]),
]


class RoundTrips(TargetCases):
    """Every type that a model may have."""

    def test_every_type_comes_back_as_it_went_in(self, bind: BindTarget) -> None:
        bound = bind(Everything)
        live = bound.create(FINGERPRINT, live=True)
        abroad = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5)))
        rows = [Everything("a"), Everything("b", part=None, nothing="x", at=abroad)]

        write(live, *rows)

        with reading(bound) as reader:
            assert reader.select(Selection(conditions=(Condition("key", "eq", "a"),))) == rows[:1]
        assert live.fetch(["a", "b"]).rows == {"a": rows[0], "b": rows[1]}
        assert rows_of(bound, live) == rows

    def test_every_type_comes_back_from_among_many_rows(self, bind: BindTarget) -> None:
        live = bind(Everything).create(FINGERPRINT, live=True)
        rows = {f"k{i}": Everything(f"k{i}", order=i) for i in range(150)}

        write(live, *rows.values())

        assert live.fetch(list(rows)).rows == rows

    @pytest.mark.parametrize(("kind", "keys"), KEYS, ids=[kind.__name__ for kind, _ in KEYS])
    @pytest.mark.parametrize("alone", [True, False], ids=["alone", "with_a_field"])
    def test_every_type_of_key_finds_its_row(
        self, bind: BindTarget, kind: type, keys: list[Any], *, alone: bool
    ) -> None:
        fields: list[Any] = [("key", kind)] if alone else [("key", kind), ("number", int, 1)]
        model: type[Struct] = defstruct("Keyed", fields, frozen=True)
        bound = bind(model)
        live = bound.create(FINGERPRINT, live=True)
        rows = {key: model(key) for key in keys}

        write(live, *rows.values())
        write(live, *rows.values())

        assert live.fetch(keys).rows == rows
        for key, row in rows.items():
            with reading(bound) as reader:
                assert reader.select(Selection(conditions=(Condition("key", "eq", key),))) == [row]
