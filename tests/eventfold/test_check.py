"""What `check` finds without the database: what cannot work, and what is perhaps not meant."""

import re
from typing import Any

import pytest

from commands import Handler
from commands.brokers.memory import MemoryBroker
from eventfold import Aggregate, Application, Command, Event, MemoryTable, NewMessage, SnapshotPolicy, consumes, handles
from eventfold.check import broker_of, hints, problems
from tests.commands.bank import HANDLERS, Account, AccountEvent, Deposit
from tests.commands.outbox.shop import Numbered
from tests.projections.shop import bindings


class Ticked(Event):
    pass


class Still(Aggregate[Ticked]):
    pass


class Needy(Aggregate[Ticked], snapshots=SnapshotPolicy()):
    name: str

    def evolve(self, event: Ticked) -> "Needy":
        return self


class Tuned(Aggregate[Ticked], snapshots=SnapshotPolicy()):
    tone: Any = complex(1, 2)

    def evolve(self, event: Ticked) -> "Tuned":
        return self


class Tick(Command):
    tuned_id: str
    still_id: str
    needy_id: str


class Opaque(Command):
    account_id: str
    what: list[int] | tuple[str, ...]


@handles
def tick_still(still: Still, command: Tick) -> list[Ticked]:
    return []


@handles
def tick_needy(needy: Needy, command: Tick) -> list[Ticked]:
    return []


@handles
def tick_tuned(tuned: Tuned, command: Tick) -> list[Ticked]:
    return []


@handles
def opaque(account: Account, command: Opaque) -> list[AccountEvent]:
    return []


@handles
def astray(account: Account, command: Deposit) -> list[Ticked]:
    return []


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (tick_still, r"aggregate Still: it has no evolve\(self, event\)"),
        (tick_needy, "aggregate Needy: .*name must have a default"),
        (tick_tuned, "aggregate Tuned: .*the initial state cannot be kept as JSON, so it can have no snapshots"),
        (opaque, "command Opaque: a field's type cannot be read from JSON"),
        (astray, "handler astray: returns Ticked, which its aggregate is not folded from"),
    ],
    ids=["evolve", "default", "snapshots", "field", "event"],
)
def test_what_would_fail_only_when_it_is_used_is_found(handler: Handler[..., Any], sentence: str) -> None:
    (found,) = problems(Application("memory://", handlers=[handler]).parts)

    assert re.search(sentence, found)


def test_where_all_is_well_nothing_is_found() -> None:
    parts = Application("memory://", handlers=HANDLERS, projections=bindings(MemoryTable)).parts

    assert problems(parts) == []


def test_an_application_without_handlers_is_pointed_out() -> None:
    assert hints(Application("memory://").parts) == ["the application has no handlers: it takes no commands"]


@consumes
def hear(_message: Numbered) -> None:
    """Nothing to do."""


def test_one_that_only_consumes_needs_no_handlers_but_a_broker() -> None:
    assert hints(Application("memory://", consumers=[hear], broker="memory://x").parts) == []
    assert problems(Application("memory://", consumers=[hear]).parts) == [
        "consumers hear: there is no broker to consume from; name one, as in Application(broker='nats://...')"
    ]


@handles
def tell(account: Account, command: Deposit) -> list[AccountEvent | NewMessage[Numbered]]:
    return []


def test_messages_that_wait_until_somebody_hands_them_over_are_pointed_out() -> None:
    (found,) = hints(Application("memory://", handlers=[tell]).parts)
    assert "what it tells others (handlers tell) waits in the outbox" in found
    assert hints(Application("memory://", handlers=[tell], broker="memory://x").parts) == []


def connect() -> MemoryBroker:
    return MemoryBroker()


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ("nats://ann:hunter2@one:4222", "NATS one:4222"),
        (MemoryBroker("x"), "memory x"),
        (connect, "made by connect"),
        (None, None),
    ],
)
def test_the_broker_is_named_without_its_password(broker: Any, said: str | None) -> None:
    parts = Application("memory://", handlers=HANDLERS, broker=broker).parts

    assert (broker_of(parts), problems(parts)) == (said, [])


def test_a_broker_that_cannot_be_is_a_problem() -> None:
    parts = Application("memory://", handlers=HANDLERS, broker="localhost:4222").parts

    (found,) = problems(parts)
    assert "got one without `://`" in found
    assert broker_of(parts) is None


def test_events_that_no_aggregate_is_folded_from_are_pointed_out() -> None:
    parts = Application("memory://", handlers=HANDLERS, projections=bindings(MemoryTable)).parts

    assert any(hint.startswith("projection stock: Added") for hint in hints(parts))
