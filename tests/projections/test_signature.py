"""What a fold says of itself: its model, its events, and whether it wants to know the key it is folding."""

from collections.abc import Callable
from typing import Any, NewType

import pytest

from eventfold import DefinitionError, Event, EventStore, MemoryTable, Recorded, SqlTable, Struct, projection, replace
from projections import Engine, rebuild
from tests.projections.shop import Added, Moved, Stock, Total, both, rows_of


class Paid(Event):
    payer: int
    payee: int
    cents: int


AccountNumber = NewType("AccountNumber", int)


class Account(Struct, frozen=True):
    number: AccountNumber
    cents: int = 0


@projection("accounts", key=lambda recorded: [recorded.event.payer, recorded.event.payee])
def accounts(row: Account | None, recorded: Recorded[Paid], number: AccountNumber) -> Account:
    row = row or Account(number)
    cents = recorded.event.cents
    return replace(row, cents=row.cents + (-cents if number == recorded.event.payer else cents))


def test_given_a_fold_with_a_third_parameter_then_it_begins_each_row_that_the_event_names(store: EventStore) -> None:
    store.append("payment-1", [Paid(1, 2, 30), Paid(2, 3, 10)])
    engine = Engine(store, [accounts.into(SqlTable("accounts"))])

    engine.catch_up()

    assert rows_of(engine, "accounts") == {
        1: Account(AccountNumber(1), -30),
        2: Account(AccountNumber(2), 20),
        3: Account(AccountNumber(3), 10),
    }


def test_given_a_fold_with_a_third_parameter_then_a_rebuild_makes_the_same_rows(store: EventStore) -> None:
    store.append("payment-1", [Paid(1, 2, 30), Paid(2, 3, 10)])
    engine = Engine(store, [accounts.into(SqlTable("accounts"), MemoryTable())])
    engine.catch_up()
    before = rows_of(engine, "accounts")

    for track in engine.tracks:
        rebuild(store, track)

    assert rows_of(engine, "accounts") == before


def test_without_key_the_third_parameter_is_the_id_of_the_stream(store: EventStore) -> None:
    @projection("items")
    def items(row: Stock | None, recorded: Recorded[Added], item: str) -> Stock:
        return Stock(item, recorded.event.amount)

    store.append("item-a-1", [Added(3)])
    engine = Engine(store, [items.into(SqlTable("items"))])

    engine.catch_up()

    assert rows_of(engine, "items") == {"a-1": Stock("a-1", 3)}


def test_a_projection_is_called_in_tests_as_its_fold_is(store: EventStore) -> None:
    @projection("pieces", key=both)
    def pieces(row: Stock | None, recorded: Recorded[Moved], item: str) -> Stock:
        row = row or Stock(item)
        return replace(row, amount=row.amount + (1 if item == recorded.event.other else -1))

    store.append("item-a", [Moved("b", 1)])
    [recorded] = store.read_log()

    assert pieces(None, recorded, "b") == Stock("b", 1)
    assert pieces(Stock("a", 5), recorded, "a") == Stock("a", 4)


def of_one(row: Stock | None) -> Stock | None: ...
def of_four(row: Stock | None, recorded: Recorded[Added], key: str, more: str) -> Stock | None: ...
def of_any(row: Stock | None, *recorded: Recorded[Added]) -> Stock | None: ...
def by_name(row: Stock | None, recorded: Recorded[Added], *, key: str) -> Stock | None: ...
def with_a_key_of_no_type(row: Stock | None, recorded: Recorded[Added], key) -> Stock | None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def with_a_key_of_another_type(row: Stock | None, recorded: Recorded[Added], key: int) -> Stock | None: ...
def with_a_key_of_two_types(row: Stock | None, recorded: Recorded[Added], key: str | None) -> Stock | None: ...
def without_a_recorded(row: Stock | None, recorded: Added) -> Stock | None: ...
def without_a_model(row: None, recorded: Recorded[Added]) -> None: ...
def without_none(row: Stock, recorded: Recorded[Added]) -> Stock: ...
def of_two_models(row: Stock | Total | None, recorded: Recorded[Added]) -> Stock | None: ...
def that_nobody_knows(row: "Nobody | None", recorded: Recorded[Added]) -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def that_waits(row: Stock | None, recorded: Recorded[Added]) -> Stock | None: ...


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (of_one, r"expected two positional parameters, as in \(row: .*, and a third one.*; got \(row: "),
        (of_four, "expected two positional parameters"),
        (of_any, "expected two positional parameters"),
        (by_name, "expected two positional parameters"),
        (with_a_key_of_no_type, "parameter key: expected an annotation"),
        (with_a_key_of_another_type, r"parameter key: expected str, the type of the key Stock\.item, got int"),
        (with_a_key_of_two_types, r"parameter key: expected str, .* got str \| None"),
        (without_a_recorded, r"parameter recorded: expected `Recorded\[...\]`, got Added"),
        (without_a_model, r"parameter row: expected `Model \| None`, got NoneType"),
        (without_none, r"parameter row: expected `Model \| None`, got Stock"),
        (of_two_models, r"parameter row: expected `Model \| None`"),
        (that_nobody_knows, "an annotation cannot be resolved"),
        (that_waits, "awaits nothing; declare it with `def`"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_fold_of_another_shape_is_an_error_when_the_projection_is_defined(
    fold: Callable[..., Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=f"projection 'odd': .*{message}"):
        projection("odd", key=both)(fold)


def test_an_event_in_a_row_that_began_without_its_key_is_named(store: EventStore) -> None:
    """The mistake that the third parameter is for: a fold of two that takes the stream's id for the key."""

    @projection("shelves", key=both)
    def shelves(row: Stock | None, recorded: Recorded[Moved]) -> Stock:
        return row or Stock(recorded.stream_id)

    store.append("item-a", [Moved("b", 1)])
    engine = Engine(store, [shelves.into(SqlTable("shelves"))])

    with pytest.raises(Exception, match=r"expected a Stock whose item is 'b', or None, got Stock.*third parameter"):
        engine.catch_up()
