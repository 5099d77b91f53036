"""Measures over rows: databases compute what a loop over the rows computes."""

from decimal import Decimal
from typing import Any

import pytest

from eventfold import (
    Application,
    Event,
    InvalidQuery,
    MemoryTable,
    Recorded,
    SqlTable,
    Struct,
    avg_of,
    count_of,
    max_of,
    min_of,
    projection,
    sum_of,
)
from projections.measure import measured


class Sold(Event):
    shop: str | None
    cents: int
    price: Decimal
    weight: float | None = None


class Sale(Struct, frozen=True):
    sale: str
    shop: str | None
    cents: int
    price: Decimal
    weight: float | None


@projection("sales")
def sales(_row: Sale | None, recorded: Recorded[Sold]) -> Sale:
    event = recorded.event
    return Sale(recorded.stream_id, event.shop, event.cents, event.price, event.weight)


MEASURES: dict[str, Any] = {
    "rows": count_of(),
    "weighed": count_of("weight"),
    "cents": sum_of("cents"),
    "price": sum_of("price"),
    "weight": sum_of("weight"),
    "mean_cents": avg_of("cents"),
    "mean_price": avg_of("price"),
    "lowest": min_of("price"),
    "highest": max_of("price"),
    "last": max_of("shop"),
}


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Any:
    kind = request.param
    if kind == "memory":
        url, target = "memory://", MemoryTable("sales")
    else:
        url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
        target = SqlTable("sales")
    with Application(url, projections=[sales.into(target)], migrate=True) as app:
        for i in range(25):
            shop = (None, "Bath", "York")[i % 3]
            weight = None if i % 4 else i / 8
            app.store.append(f"sale-{i}", [Sold(shop, i * 7 % 11, Decimal(f"{i}.10"), weight)])
        app.catch_up()
        yield app


def test_over_all_rows(app: Application) -> None:
    rows = app.query(Sale).all()
    assert app.query(Sale).aggregate(**MEASURES) == {name: measured(each, rows) for name, each in MEASURES.items()}


def test_by_groups_in_their_order_and_only_over_what_matches(app: Application) -> None:
    found = app.query(Sale).where(cents__gt=2).group_by("shop").aggregate(**MEASURES)
    assert [each["shop"] for each in found] == [None, "Bath", "York"]
    for each in found:
        rows = [row for row in app.query(Sale) if row.shop == each["shop"] and row.cents > 2]
        assert each == {"shop": each["shop"], **{name: measured(measure, rows) for name, measure in MEASURES.items()}}


def test_over_no_rows(app: Application) -> None:
    none = app.query(Sale).where(cents__gt=99)
    assert none.aggregate(n=count_of(), cents=sum_of("cents"), price=avg_of("price")) == {
        "n": 0,
        "cents": None,
        "price": None,
    }
    assert none.group_by("shop").aggregate(n=count_of()) == []


@pytest.mark.parametrize(
    ("measures", "problem"),
    [
        ({}, "expected at least one measure"),
        ({"x": "cents"}, "x: expected a measure such as sum_of"),
        ({"x": sum_of("nope")}, "Sale has no field 'nope'"),
        ({"x": sum_of("shop")}, "sum_of: expected a field of int, float or Decimal, got shop, which is str or None"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(measures: dict[str, Any], problem: str) -> None:
    with (
        Application("memory://", projections=[sales.into(MemoryTable("sales"))]) as app,
        pytest.raises(InvalidQuery, match=problem),
    ):
        app.query(Sale).aggregate(**measures)


def test_a_measure_cannot_have_the_name_of_a_group() -> None:
    with (
        Application("memory://", projections=[sales.into(MemoryTable("sales"))]) as app,
        pytest.raises(InvalidQuery, match="shop is a field that is grouped by"),
    ):
        app.query(Sale).group_by("shop").aggregate(shop=count_of())
