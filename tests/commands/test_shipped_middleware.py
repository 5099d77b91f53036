"""The middleware that is shipped, in threads and in tasks."""

import logging
from collections.abc import Iterable
from typing import Annotated, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from eventfold import (
    Application,
    Ask,
    AsyncApplication,
    Command,
    DefinitionError,
    InvalidCommand,
    MemoryTable,
    Meta,
    NotAuthorised,
    Recorded,
    Rejected,
    Struct,
    Timing,
    authorise,
    handles,
    log_commands,
    look_up,
    projection,
    time_commands,
    trace_commands,
)
from tests.commands.bank import HANDLERS, Account, AccountEvent, Deposit, Deposited, Transfer, Withdraw
from tests.commands.conftest import OpenDriver


class Rename(Command):
    account_id: str
    name: Annotated[str, Meta(min_length=1)]
    again: str

    def validate(self) -> Iterable[str]:
        if self.name != self.again:
            yield f"again: expected the same as name, got {self.again!r}"
        if self.name == self.account_id:
            yield "name: expected another one than the id"


@handles
def rename(account: Account, command: Rename) -> list[AccountEvent]:
    return [Deposited(1)]


class Holder(Struct, frozen=True):
    account_id: str
    events: int = 0


@projection("holders")
def holders(row: Holder | None, recorded: Recorded[AccountEvent]) -> Holder:
    return Holder(recorded.stream_id, 1 + (row.events if row else 0))


# -- rules of the command -----------------------------------------------------------------------------------------------


def test_a_commands_own_rules_name_every_faulty_field_at_once(open_driver: OpenDriver) -> None:
    app = open_driver(handlers=[rename])

    with pytest.raises(InvalidCommand) as caught:
        app.dispatch(Rename("a-1", "a-1", "b"))

    assert caught.value.faults == (
        "again: expected the same as name, got 'b'",
        "name: expected another one than the id",
    )
    assert app.store.head() == 0


def test_the_rules_are_asked_once_the_types_are_right(open_driver: OpenDriver) -> None:
    with pytest.raises(InvalidCommand) as caught:
        open_driver(handlers=[rename]).dispatch(Rename("a-1", "", 5))  # type: ignore[arg-type]  # wrong on purpose

    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["name", "again"]


@pytest.mark.parametrize("found", ["a sentence", [1], 5, {"name": "taken"}])
def test_a_rule_that_gives_no_sentences_is_a_mistake_of_the_code(open_driver: OpenDriver, found: Any) -> None:
    class Odd(Command):
        account_id: str

        def validate(self) -> Iterable[str]:
            return found  # type: ignore[no-any-return]  # wrong on purpose

    def odd(account: Account, command: Odd) -> list[AccountEvent]:
        return []

    odd.__annotations__["command"] = Odd

    with pytest.raises(DefinitionError, match="Odd: expected a rule to give a list of sentences"):
        open_driver(handlers=[handles(odd)]).dispatch(Odd("a-1"))


# -- look_up ------------------------------------------------------------------------------------------------------------


def is_new(command: Deposit, ask: Ask) -> Iterable[str]:
    if ask(Holder).get(command.account_id) is not None:
        yield f"account_id: {command.account_id} is taken"


def is_small(command: Deposit, ask: Ask) -> list[str]:
    return ["amount: expected less than the number of holders"] if command.amount > ask(Holder).count() else []


def test_checks_that_ask_a_read_model_name_every_fault_and_store_nothing(open_driver: OpenDriver) -> None:
    app = open_driver(
        projections=[holders.into(MemoryTable("holders"))], middleware=[look_up(is_new, is_small)], handlers=HANDLERS
    )
    app.store.append("account-a-1", [Deposited(1)])
    Application.catch_up(getattr(app.app, "sync", app.app))  # type: ignore[attr-defined]  # the driver's application

    app.dispatch(Deposit("a-2", 1))
    with pytest.raises(InvalidCommand) as caught:
        app.dispatch(Deposit("a-1", 5))

    assert caught.value.faults == ("account_id: a-1 is taken", "amount: expected less than the number of holders")
    assert app.store.head() == 2
    app.dispatch(Transfer("a-1", "a-2", 1))  # which nobody looks up


def unannotated(command: Any, ask: Ask) -> list[str]:
    return []


def lonely(command: Deposit) -> list[str]:
    return []


@pytest.mark.parametrize("check", [unannotated, lonely, 5, print])
def test_a_check_that_does_not_say_what_it_checks_is_refused(check: Any) -> None:
    with pytest.raises(DefinitionError, match=r"look_up: .*expected"):
        look_up(check)


# -- authorise ----------------------------------------------------------------------------------------------------------


def test_a_command_that_its_sender_may_not_send_stores_nothing(open_driver: OpenDriver) -> None:
    app = open_driver(
        middleware=[authorise(lambda envelope: None if (envelope.metadata or {}).get("user") else "who are you?")]
    )

    app.dispatch(Deposit("a-1", 1), metadata={"user": "ada"})
    with pytest.raises(NotAuthorised, match=r"Deposit: not allowed: who are you\?") as caught:
        app.dispatch(Deposit("a-1", 1))

    assert (caught.value.command, caught.value.reason, caught.value.status) == ("Deposit", "who are you?", 403)
    assert app.store.head() == 1


# -- time_commands ------------------------------------------------------------------------------------------------------


def test_every_command_is_timed_with_the_code_of_its_error(open_driver: OpenDriver) -> None:
    timings: list[Timing] = []
    app = open_driver(middleware=[time_commands(timings.append)])

    app.dispatch(Deposit("a-1", 1))
    with pytest.raises(Rejected):
        app.dispatch(Withdraw("a-1", 5))

    assert [(each.command, each.code) for each in timings] == [("Deposit", None), ("Withdraw", "rejected")]
    assert all(each.seconds > 0 for each in timings)


# -- log_commands, and the line of a failure ----------------------------------------------------------------------------


def test_a_command_that_is_handled_leaves_a_line_without_its_fields(
    open_driver: OpenDriver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    open_driver(middleware=[log_commands()]).dispatch(Deposit("a-1", 4711), correlation_id="talk")

    [record] = [each for each in caplog.records if each.name == "commands"]
    assert record.levelno == logging.INFO
    assert "led to 1 events, account-a-1 is at version 1" in record.getMessage()
    assert "conversation talk" in record.getMessage()
    assert "4711" not in record.getMessage()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (Withdraw("a-1", 4711), "rejected"),
        (Withdraw("a-1", -4711), "invalid_command (amount)"),
        (Rename("a-1", "x", "y"), "no_handler"),
    ],
)
def test_a_command_that_fails_leaves_one_line_and_no_other_trace(
    open_driver: OpenDriver, caplog: pytest.LogCaptureFixture, command: Command, line: str
) -> None:
    caplog.set_level(logging.INFO)
    app = open_driver(middleware=[log_commands()])

    with pytest.raises(Exception):  # noqa: B017, PT011 - which one is told by the line
        app.dispatch(command)

    [message] = [each.getMessage() for each in caplog.records if each.name.startswith("commands")]
    assert message.startswith(type(command).__name__)
    assert message.endswith(f"failed: {line}")
    assert "4711" not in message
    assert app.store.head() == 0


# -- trace_commands -----------------------------------------------------------------------------------------------------


def test_each_command_is_a_span_of_opentelemetry_that_knows_its_error(open_driver: OpenDriver) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = open_driver(middleware=[trace_commands(provider.get_tracer("shop").start_as_current_span)])

    app.dispatch(Deposit("a-1", 1), correlation_id="talk")
    with pytest.raises(Rejected):
        app.dispatch(Withdraw("a-1", 5))

    good, bad = exporter.get_finished_spans()
    assert (good.name, good.status.status_code) == ("dispatch Deposit", StatusCode.UNSET)
    assert good.attributes is not None
    assert good.attributes["eventfold.correlation_id"] == "talk"
    assert (bad.name, bad.status.status_code) == ("dispatch Withdraw", StatusCode.ERROR)


# -- the order ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Application, AsyncApplication])
def test_the_way_of_a_command_can_be_told(kind: Any) -> None:
    app = kind("memory://", handlers=HANDLERS, middleware=[log_commands(), look_up(is_new)])

    assert app.pipeline == (
        "validation",
        "log_commands",
        "look_up",
        "validation",
        "idempotency",
        "retry on conflict (at most 10 attempts)",
        "decision",
    )
    assert kind("memory://").pipeline[:2] == ("validation", "idempotency")
