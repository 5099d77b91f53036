"""Events that were stored under older names and in older shapes: read as those of today, by every way of reading."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

import pytest
from msgspec.structs import replace

from eventstore.aggregate import Aggregate
from eventstore.async_subscription import subscribe_async
from eventstore.errors import AppendConditionFailed, NotFound, UnknownEventType
from eventstore.event import Event, Tag
from eventstore.loading import load, load_query, moment
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.subscription import Subscription, subscribe
from eventstore.testing.contract.base import StoreCases, StoreFactory, events
from eventstore.testing.contract.taking import take
from eventstore.upcaster import JsonObject, upcasts


class OrderCreated(Event):
    """The first shape, under the first name."""

    order_id: Annotated[str, Tag("order")]
    total: float


class OrderPlaced2(Event, event_type="OrderPlaced", version=2):
    """The second shape, which held two facts."""

    order_id: Annotated[str, Tag("order")]
    cents: int
    paid: bool


class OrderViewed(Event):
    """A type that nobody needs any more."""

    order_id: Annotated[str, Tag("order")]


@upcasts("OrderPlaced", 1, aliases=["OrderCreated"])
def in_cents(data: JsonObject) -> JsonObject:
    """Prices were floats."""
    return {"order_id": data["order_id"], "cents": round(data["total"] * 100), "paid": False}


@upcasts("OrderPlaced", 2, into={"OrderPlaced": 3, "OrderPaid": 1}, aliases=["OrderCreated"])
def placed_and_paid(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Paying is an event of its own."""
    yield "OrderPlaced", {"order_id": data["order_id"], "cents": data["cents"]}
    if data["paid"]:
        yield "OrderPaid", {"order_id": data["order_id"], "cents": data["cents"]}


@upcasts("OrderViewed", 1, into={"OrderPaid": 1})
def nothing(_data: JsonObject) -> list[tuple[str, JsonObject]]:
    """Dropped."""
    return []


class OrderPlaced(Event, version=3, aliases=["OrderCreated"], upcasters=[in_cents, placed_and_paid]):
    """The shape of today."""

    order_id: Annotated[str, Tag("order")]
    cents: int


class OrderPaid(Event, upcasters=[in_cents, placed_and_paid, nothing]):
    """What was a flag."""

    order_id: Annotated[str, Tag("order")]
    cents: int


OrderEvent: TypeAlias = OrderPlaced | OrderPaid
TODAY = (OrderPlaced, OrderPaid)


class Order(Aggregate[OrderEvent]):
    """How much is open."""

    owed: int = 0
    events: int = 0

    def evolve(self, event: OrderEvent) -> "Order":
        """Owed when placed, and no longer when paid."""
        match event:
            case OrderPlaced(_, cents):
                return Order(self.owed + cents, self.events + 1)
            case OrderPaid(_, cents):
                return Order(self.owed - cents, self.events + 1)


class Paid(Aggregate[OrderPaid], category="order", retired=["OrderPlaced"]):
    """Looks at one of two types."""

    cents: int = 0

    def evolve(self, event: OrderPaid) -> "Paid":
        """The sum."""
        return replace(self, cents=self.cents + event.cents)


PLACES = [
    ("order-1", 1, 0, OrderPlaced("1", 250)),
    ("order-1", 2, 0, OrderPlaced("1", 700)),
    ("order-1", 2, 1, OrderPaid("1", 700)),
    ("order-2", 1, 0, OrderPlaced("2", 10)),
    ("order-1", 4, 0, OrderPlaced("1", 3)),
    ("order-1", 4, 1, OrderPaid("1", 3)),
    ("order-1", 5, 0, OrderPaid("1", 250)),
]
"""Stream, version, sub-index and event of what `_given` stores."""


class Upcasting(StoreCases):
    """One event from one, several from one, none from one."""

    @pytest.fixture
    def orders(self, open_store: StoreFactory) -> EventStore:
        """A log with events of three ages."""
        store = open_store(events=TODAY)
        store.append("order-1", [OrderCreated("1", 2.5), OrderPlaced2("1", 700, paid=True)])
        store.append("order-2", [OrderPlaced("2", 10)])
        store.append("order-1", [OrderViewed("1"), OrderPlaced2("1", 3, paid=True), OrderPaid("1", 250)])
        return store

    def test_older_events_are_read_as_those_of_today_at_their_own_places(self, orders: EventStore) -> None:
        found = list(orders.read_log())

        assert [(each.stream, each.version, each.sub_index, each.event) for each in found] == PLACES
        assert {(each.type, each.schema) for each in found} == {("OrderPlaced", 3), ("OrderPaid", 1)}
        assert found[1].event_id == found[2].event_id

    def test_a_stream_is_read_in_the_same_way(self, orders: EventStore) -> None:
        found = list(orders.read_stream("order-1"))

        assert found == [each for each in orders.read_log() if each.stream == "order-1"]
        assert list(orders.read_stream("order-1", backwards=True)) == found[::-1]

    @pytest.mark.parametrize("page_size", [1, 2, 3, 100])
    @pytest.mark.parametrize("backwards", [False, True])
    def test_a_page_never_ends_within_a_stored_event(
        self, orders: EventStore, page_size: int, *, backwards: bool
    ) -> None:
        everything = list(orders.read_log(backwards=backwards))

        assert list(orders.read_log(page_size=page_size, backwards=backwards)) == everything

    @pytest.mark.parametrize("limit", range(1, 9))
    def test_a_limit_never_cuts_a_stored_event_in_two(self, orders: EventStore, limit: int) -> None:
        everything = list(orders.read_log())
        first = list(orders.read_log(limit=limit))
        rest = list(orders.read_log(after=first[-1].position))

        assert len(first) >= min(limit, len(everything))
        assert first + rest == everything

    def test_asking_for_a_type_finds_it_under_every_older_name_and_nothing_else(self, orders: EventStore) -> None:
        placed = list(orders.read_log(types=[OrderPlaced]))
        paid = list(orders.read_log(types=["OrderPaid"], page_size=1))

        assert events(placed) == [event for *_, event in PLACES if isinstance(event, OrderPlaced)]
        assert events(paid) == [event for *_, event in PLACES if isinstance(event, OrderPaid)]

    def test_asking_for_an_older_name_finds_what_its_events_have_become(self, orders: EventStore) -> None:
        assert events(orders.read_log(types=["OrderCreated"])) == [OrderPlaced("1", 250)]

    def test_a_query_over_tags_finds_older_events_too(self, orders: EventStore) -> None:
        query = Query.of(OrderPaid, tags=["order:1"]) | Query.of(OrderPlaced, tags=["order:2"])

        found = events(orders.read_log(query=query))

        assert found == [OrderPaid("1", 700), OrderPlaced("2", 10), OrderPaid("1", 3), OrderPaid("1", 250)]

    @pytest.mark.parametrize("page_size", [1, 2, 100])
    def test_a_batch_of_a_subscription_never_ends_within_a_stored_event(
        self, orders: EventStore, page_size: int
    ) -> None:
        seen: list[Any] = []
        with subscribe(orders, page_size=page_size) as subscription:
            while (batch := subscription.poll(0)) is not None:
                seen += batch.events
                assert seen == list(orders.read_log(up_to=batch.position))

        assert seen == list(orders.read_log())

    @pytest.mark.parametrize("taken", range(8))
    def test_a_subscription_goes_on_from_its_position_and_skips_nothing(self, orders: EventStore, taken: int) -> None:
        everything = list(orders.read_log())
        with subscribe(orders, page_size=2) as subscription:
            first = take(taken, subscription)
            position = subscription.position
        with subscribe(orders, after=position) as resumed:
            rest = take(sum(1 for each in everything if each.position > position), resumed)

        whole = [each for each in everything if each.position <= position]
        assert whole + rest == everything
        assert first[: len(whole)] == whole[: len(first)]

    def test_stopping_ends_the_iteration_after_the_last_part_of_the_event_in_hand(self, orders: EventStore) -> None:
        with subscribe(orders) as subscription:
            found = list(_stopping_at(OrderPlaced("1", 700), subscription))

        assert [each.event for each in found] == [event for *_, event in PLACES[:3]]
        assert subscription.position == found[-1].position

    def test_a_task_gets_the_same_and_its_position_moves_with_the_last_part(self, orders: EventStore) -> None:
        everything = list(orders.read_log())

        async def main() -> None:
            async with subscribe_async(orders, page_size=2) as subscription:
                positions = []
                iterator = aiter(subscription)
                for each in everything:
                    assert await anext(iterator) == each
                    positions.append(subscription.position)
            for i, (each, position) in enumerate(zip(everything, positions, strict=True)):
                last = i + 1 == len(everything) or everything[i + 1].position != each.position
                assert (position == each.position) == last

        asyncio.run(main())

    def test_a_load_counts_stored_events_and_folds_what_they_have_become(self, orders: EventStore) -> None:
        loaded = load(orders.backend, Order, "1")

        assert (loaded.state, loaded.version) == (Order(0, 6), 5)

    @pytest.mark.parametrize(("version", "state"), [(1, Order(250, 1)), (2, Order(250, 3)), (3, Order(250, 3))])
    def test_a_load_at_a_version_folds_the_whole_event_stored_there(
        self, orders: EventStore, version: int, state: Order
    ) -> None:
        position = orders.backend.stream_page("order-1", moment(at_version=version), 9)[-1][0]

        by_version = load(orders.backend, Order, "1", moment(at_version=version))
        by_position = load(orders.backend, Order, "1", moment(position=position))

        assert by_version == by_position
        assert (by_version.state, by_version.version) == (state, version)

    def test_a_retired_type_is_passed_over_where_an_upcaster_yields_it(self, orders: EventStore) -> None:
        assert load(orders.backend, Paid, "1").state == Paid(953)

    def test_a_type_that_an_upcaster_yields_and_nobody_declares_is_an_error(self, orders: EventStore) -> None:
        class Narrow(Aggregate[OrderPaid], category="order"):
            pass

        with pytest.raises(UnknownEventType, match=r"placed_and_paid.* makes OrderPlaced 3 .*does not declare"):
            load(orders.backend, Narrow, "1")

    def test_a_decision_over_a_query_folds_what_the_query_asks_for(self, orders: EventStore) -> None:
        loaded = load_query(orders.backend, Order, Query.of(OrderPaid, tags=["order:1"]))

        assert loaded.state == Order(-953, 3)

    def test_a_condition_is_broken_by_an_event_stored_under_an_older_name(self, orders: EventStore) -> None:
        condition = AppendCondition(Query.of(OrderPaid, tags=["order:1"]), after=orders.head())
        orders.append("order-1", [OrderPlaced2("1", 8, paid=True)])

        with pytest.raises(AppendConditionFailed):
            orders.append("order-1", [OrderPaid("1", 8)], condition=condition)

    def test_an_event_is_found_by_its_id_unless_an_upcaster_drops_it(self, orders: EventStore) -> None:
        split = list(orders.read_log())[1]
        dropped = orders.backend.stream_page("order-1", moment(at_version=3), 9)[2][6]

        assert orders.event(split.event_id) == split
        with pytest.raises(NotFound, match="OrderViewed 1, which an upcaster drops"):
            orders.event(dropped)

    def test_stored_types_are_listed_under_their_stored_names(self, orders: EventStore) -> None:
        placed = next(each for each in orders.stored_types() if each.type == "OrderPlaced" and each.schema == 2)

        assert [(each.type, each.schema, each.events) for each in orders.stored_types()] == [
            ("OrderCreated", 1, 1),
            ("OrderPaid", 1, 1),
            ("OrderPlaced", 2, 2),
            ("OrderPlaced", 3, 1),
            ("OrderViewed", 1, 1),
        ]
        rows = orders.backend.stream_page("order-1", moment(), 9)
        assert (placed.first_position, placed.first_recorded_us) == (rows[1][0], rows[1][3])
        assert (placed.last_position, placed.last_recorded_us) == (rows[3][0], rows[3][3])


def _stopping_at(event: Any, subscription: Subscription) -> Iterator[Any]:
    for recorded in subscription:
        yield recorded
        if recorded.event == event:
            subscription.stop()
