"""A program at two of its versions, as processes: `python -m tests.eventstore.deploys previous|next URL WORK`.

The previous one knows how to read version 2 of `PriceSet` before anybody writes it, and the new name of `ItemNamed`; the next
one writes both, and gives `ItemRenamed` a field with a default.
"""

import sys
from typing import Any

from eventstore import Aggregate, Event, JsonObject, open_store, upcasts
from eventstore.loading import load


class Previous:
    """The code that is running: version 1, and how to read version 2."""

    @staticmethod
    def events() -> tuple[Any, ...]:
        @upcasts("PriceSet", 2, into={"PriceSet": 1})
        def in_euros(data: JsonObject) -> list[tuple[str, JsonObject]]:
            return [("PriceSet", {"euros": data["cents"] / 100})]

        class PriceSet(Event, upcasters=[in_euros]):
            euros: float

        class ItemNamed(Event, aliases=["ItemRenamed"]):
            name: str

        return (
            PriceSet,
            ItemNamed,
            lambda n: [PriceSet(n / 100), ItemNamed(f"item {n}")],
            lambda e: round(e.euros * 100),
        )


class Next:
    """The code that is being deployed."""

    @staticmethod
    def events() -> tuple[Any, ...]:
        @upcasts("PriceSet", 1)
        def in_cents(data: JsonObject) -> JsonObject:
            return {"cents": round(data["euros"] * 100)}

        class PriceSet(Event, version=2, upcasters=[in_cents]):
            cents: int

        class ItemRenamed(Event, aliases=["ItemNamed"]):
            name: str
            language: str = "en"

        return PriceSet, ItemRenamed, lambda n: [PriceSet(n), ItemRenamed(f"item {n}", "de")], lambda e: e.cents


def main(code: str, url: str, work: str) -> None:
    """Appends one more price and name, or prints what it reads."""
    priced, named, made, cents = (Previous if code == "previous" else Next).events()

    class Item(Aggregate[priced | named], category="item"):  # type: ignore[valid-type]  # chosen by the argument
        cents: tuple[int, ...] = ()
        name: str = ""

        def evolve(self, event: Any) -> "Item":
            if isinstance(event, priced):
                return Item((*self.cents, cents(event)), self.name)
            return Item(self.cents, event.name)

    with open_store(url, events=[priced, named]) as store:
        if work == "append":
            store.append("item-1", made(store.head() + 1))
        else:
            state = load(store.backend, Item, "1").state
            prices = [cents(each.event) for each in store.read_log(types=[priced])]
            print(list(state.cents), prices, state.name)  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
