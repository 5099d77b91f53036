"""Aggregates: what their streams are called, what they are folded from, and how a wrong one is told."""

from typing import Any

import pytest

from eventstore import Aggregate, DefinitionError, Event, Recording, open_store
from eventstore.aggregate import category_of, events_of, initial, snake_case


class Opened(Event):
    pass


class Closed(Event):
    pass


class BankAccount(Aggregate[Opened | Closed]):
    open: bool = False

    def evolve(self, event: Opened | Closed) -> "BankAccount":
        return BankAccount(isinstance(event, Opened))


class Renamed(BankAccount, category="accounts"):
    pass


def test_the_category_is_the_name_in_snake_case_or_what_is_declared() -> None:
    assert category_of(BankAccount) == "bank_account"
    assert category_of(Renamed) == "accounts"


@pytest.mark.parametrize(
    ("name", "snake"), [("Account", "account"), ("BankAccount", "bank_account"), ("HTTPServer2Go", "http_server2_go")]
)
def test_a_name_becomes_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake


def test_a_subclass_is_folded_from_the_same_events() -> None:
    assert events_of(Renamed) == events_of(BankAccount) == (Opened, Closed)


@pytest.mark.parametrize("category", ["", "a-b", 5, "a\nb"])
def test_a_category_that_no_stream_can_have_is_refused(category: Any) -> None:
    class Bad(Aggregate[Opened], category=category):
        pass

    with pytest.raises(DefinitionError, match="Bad: category: expected text without a dash, got "):
        category_of(Bad)


def test_an_aggregate_without_events_is_told_how_to_name_them() -> None:
    class Bare(Aggregate):  # type: ignore[type-arg]  # wrong on purpose
        pass

    with pytest.raises(DefinitionError, match=r"Bare: name its events, as in `class Bare\(Aggregate\[Opened"):
        events_of(Bare)


def test_a_field_without_a_default_is_named() -> None:
    class Needy(Aggregate[Opened]):
        owner: str
        cents: int = 0

    with pytest.raises(DefinitionError, match="Needy: owner must have a default"):
        initial(Needy)


def test_an_aggregate_without_a_fold_is_told_to_define_one() -> None:
    class Lazy(Aggregate[Opened]):
        pass

    with pytest.raises(DefinitionError, match=r"Lazy: define `evolve\(self, event\)`"):
        initial(Lazy).evolve(Opened())


def test_an_object_without_an_aggregate_is_told_how_to_name_it() -> None:
    class Bare(Recording):  # type: ignore[type-arg]  # wrong on purpose
        pass

    with open_store("memory://") as store, pytest.raises(DefinitionError, match=r"Bare: name its aggregate, as in"):
        Bare.open(store, "1")


def test_an_object_that_rejects_has_recorded_nothing() -> None:
    class Book(Recording[BankAccount]):
        def close(self) -> None:
            if not self.state.open:
                raise ValueError("it is not open")
            self.record(Closed())

    book = Book.new("1")

    with pytest.raises(ValueError, match="not open"):
        book.close()

    assert (book.recorded, book.version, book.stream) == ((), 0, "bank_account-1")
