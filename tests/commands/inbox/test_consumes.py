"""`@consumes` takes from the annotations what it can, and says clearly what it cannot."""

from typing import Any

import pytest

from commands.inbox.group import groups_of
from eventfold import Application, Consuming, DefinitionError, Inbox, Message, Received, consumes
from tests.commands.inbox.orders import OrderCancelled, OrderPlaced


class Loose(Message):
    number: int


def test_channel_class_and_group_are_inferred() -> None:
    @consumes
    def ship(message: OrderPlaced | OrderCancelled, received: Received) -> str:
        return "shipped"

    assert (ship.reading.channel, ship.reading.group) == ("orders", "ship")
    assert list(ship.messages) == ["OrderPlaced", "OrderCancelled"]
    assert ship.function(OrderCancelled("o-1"), None) == "shipped"  # type: ignore[arg-type]  # it does not look


def test_they_can_be_said_outright() -> None:
    @consumes("elsewhere", OrderPlaced, group="stock")
    def ship(message: Any) -> None: ...

    assert (ship.reading.channel, ship.reading.group, list(ship.messages)) == ("elsewhere", "stock", ["OrderPlaced"])


def takes_nothing() -> None: ...


def takes_anything(message: Any) -> None: ...


def takes_loose(message: Loose) -> None: ...


def takes_the_base(message: Message) -> None: ...


def takes_more(message: OrderPlaced, other: int) -> None: ...


def takes_order(message: OrderPlaced) -> None: ...


async def awaits(message: OrderPlaced) -> None: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (takes_nothing, "expected \\(message"),
        (takes_anything, "expected Message classes"),
        (takes_the_base, "expected classes of messages, got their base"),
        (takes_loose, "expected one channel that its messages name"),
        (takes_more, "expected \\(message"),
        (awaits, "drop async"),
    ],
)
def test_what_cannot_be_inferred_is_refused(function: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        consumes(function)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group": ""}, "group: expected a text"),
        ({"identify": "id"}, "identify=: expected"),
        ({"retry": 3}, "a RetryPolicy"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        consumes(**options)(takes_order)


def test_two_of_a_group_share_a_channel_by_types_and_read_it_alike() -> None:
    @consumes(group="g")
    def one(message: OrderPlaced) -> None: ...

    @consumes(group="g")
    def other(message: OrderCancelled) -> None: ...

    @consumes(group="g", identify="position")
    def third(message: OrderCancelled) -> None: ...

    (group,) = groups_of([one, other])
    assert group.consumers == {"OrderPlaced": one, "OrderCancelled": other}
    with pytest.raises(DefinitionError, match="is consumed by one and by one"):
        groups_of([one, consumes(group="g")(one.function)])
    with pytest.raises(DefinitionError, match="must be the same"):
        groups_of([one, third])
    with pytest.raises(DefinitionError, match="expected functions under @consumes"):
        groups_of([takes_loose])


@pytest.mark.parametrize("options", [{"batch": 0}, {"parallel": True}, {"keep_seconds": -1}, {"middleware": [3]}])
def test_numbers_of_consuming_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises(DefinitionError):
        Consuming(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"consumers": [consumes(takes_order)]}, "name a broker"),
        ({"consumers": [], "broker": "memory://nobody"}, "there is nobody to consume"),
    ],
)
def test_without_a_broker_or_a_consumer_nothing_can_be_consumed(options: Any, said: str) -> None:
    with Inbox("memory://", **options) as inbox, pytest.raises(DefinitionError, match=said):
        inbox.worker()


@pytest.mark.parametrize("given", [consumes(takes_order), None, "ship", 3])
def test_consumers_that_are_no_list_are_refused(given: Any) -> None:
    for make in (Inbox, Application):
        with pytest.raises(DefinitionError, match=r"consumers: expected a list of functions under @consumes, got"):
            make("memory://", consumers=given)


def test_which_message_names_no_channel_is_said() -> None:
    def takes_both(message: OrderPlaced | Loose) -> None: ...

    with pytest.raises(DefinitionError, match=r"OrderPlaced names orders, Loose names none; say it here"):
        consumes(takes_both)
