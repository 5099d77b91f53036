"""Given / when / then for decisions, without a store.

given(Deposited(100)).when(withdraw, Withdraw("a-1", 30)).then(Withdrawn(30))
given(Deposited(10)).when(withdraw, Withdraw("a-1", 30)).then_rejected("balance is 10")
given(source=[Deposited(9)]).when(transfer, Transfer("a", "b", 4)).then(source=[Withdrawn(4)], target=[Deposited(4)])
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from commands.command import Command, validate
from commands.errors import Rejected
from commands.handler import Handler
from commands.message import Message, NewMessage
from commands.outbox.preparation import Origin, fresh_id, seal
from commands.steps import by_parameter
from commands.testing.history import fold_query, fold_stream, plain
from eventstore import DefinitionError, Event, InvalidInput, NewEvent
from eventstore.encoding import encode, form_of
from eventstore.stream import check_stream_name

MAX_PAYLOAD = 1 << 30

History: TypeAlias = Sequence[Event | NewEvent[Any]]
Said: TypeAlias = Event | Message | NewMessage[Any]


def given(*events: Event | NewEvent[Any], **streams: History) -> "Scenario":
    """The history before the command.

    Args:
        events: of the one stream; for a decision over a query, of the log, of which the query picks its own.
        streams: for a decision over several streams: the events of each, by the name of its parameter.
    """
    return Scenario(events, streams)


class Scenario:
    """A history. It can be used for several commands, each of which begins from it."""

    def __init__(self, events: History, streams: Mapping[str, History]) -> None:
        self._events = events
        self._streams = streams

    def when(self, handler: Handler[..., Any], command: Command) -> "Outcome":
        """Runs the decision as a dispatch would: the command is validated, and its streams must have proper names.

        Raises:
            AssertionError: the history does not fit the decision, or it returns something else than events.
        """
        self._check_names(handler)
        try:
            validate(command)
            for each in handler.parameters:
                check_stream_name(each.stream(command), system=True)
            decided = handler.decide(self._states(handler, command), command)
        except (Rejected, InvalidInput) as error:
            return Outcome(handler, {}, error)
        try:
            found = by_parameter(handler, decided)
        except DefinitionError as error:
            raise AssertionError(str(error)) from error
        return Outcome(handler, {name: [plain(event) for event in events] for name, events in found.items() if events})

    def _check_names(self, handler: Handler[..., Any]) -> None:
        names = [each.name for each in handler.parameters]
        if unknown := self._streams.keys() - set(names):
            raise AssertionError(f"given: {handler.name} has no parameter {sorted(unknown)}, only {names}")
        if self._events and len(names) > 1:
            raise AssertionError(
                f"given: {handler.name} reads several streams: name them, as in given({names[0]}=[...])"
            )
        if self._events and self._streams:
            raise AssertionError(f"given: expected events with or without the name {names[0]!r}, got both")

    def _states(self, handler: Handler[..., Any], command: Command) -> dict[str, Any]:
        histories = {each.name: self._streams.get(each.name, self._events) for each in handler.parameters}
        if handler.query is not None:
            ((name, history),) = histories.items()
            return {name: fold_query(handler.query(command), handler.start(command), history)}
        return {each.name: fold_stream(each.aggregate, histories[each.name]) for each in handler.parameters}


class Outcome:
    """What a decision has made of a command. An expectation that fails raises AssertionError."""

    def __init__(
        self, handler: Handler[..., Any], decided: Mapping[str, list[Any]], error: Exception | None = None
    ) -> None:
        self._names = [each.name for each in handler.parameters]
        self._decided = decided
        self._error = error

    def then(self, *events: Said, **streams: Sequence[Said]) -> None:
        """The decision yields exactly these events and messages (by parameter name for a decision over several streams)."""
        if events and streams:
            raise AssertionError(f"then: expected all events by parameter name, got {_show(list(events))} without one")
        wanted: Any = {name: list(each) for name, each in streams.items() if each} if streams else list(events)
        if self._error is not None:
            raise AssertionError(f"expected {_show(wanted)}, but the command was refused: {self._error}")
        found = self._decided if streams else self._found()
        if found != wanted and (found or wanted):  # {} and [] both say nothing
            raise AssertionError(f"expected {_show(wanted)}, got {_show(found)}")
        for event in [*events, *(each for stream in streams.values() for each in stream)]:
            _check(event)

    def then_nothing(self) -> None:
        """The decision has nothing to say."""
        self.then()

    def then_rejected(self, match: str = "") -> None:
        """The decision refuses, with a sentence in which the regular expression `match` is found."""
        self._then_refused(Rejected, match)

    def then_invalid(self, match: str = "") -> None:
        """The command does not get as far as the decision; `match` is found in the sentence that says why."""
        self._then_refused(InvalidInput, match)

    def _found(self) -> Any:
        """The events as a decision over one stream returns them, or by parameter."""
        return self._decided.get(self._names[0], []) if len(self._names) == 1 else self._decided

    def _then_refused(self, kind: type[Exception], match: str) -> None:
        if self._error is None:
            raise AssertionError(f"expected {kind.__name__}, got {_show(self._found())}")
        if not isinstance(self._error, kind) or not re.search(match, str(self._error)):
            raise AssertionError(f"expected {kind.__name__} matching {match!r}, got {self._error!r}")


def _check(said: Said) -> None:
    """A dispatch would refuse what can be neither stored nor sent."""
    if isinstance(said, Event):
        encode(said, form_of(type(said)), MAX_PAYLOAD)
    else:
        seal(said, Origin("/", fresh_id(), 0))


def _show(events: Any) -> str:
    return repr(events) if events else "nothing"
