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
from commands.steps import by_parameter
from commands.testing.history import fold_query, fold_stream, plain
from eventstore import DefinitionError, Event, InvalidInput, NewEvent
from eventstore.encoding import encode, form_of

MAX_PAYLOAD = 1 << 30

History: TypeAlias = Sequence[Event | NewEvent[Any]]


def given(*events: Event | NewEvent[Any], **streams: History) -> "Scenario":
    """The history before the command.

    Args:
        events: of the one stream; for a decision over a query, of the log, of which the query picks its own.
        streams: for a decision over several streams: the events of each, by the name of its parameter.
    """
    return Scenario(events, streams)


class Scenario:
    """A history, and what a decision makes of a command on top of it. Failed expectations raise AssertionError."""

    def __init__(self, events: History, streams: Mapping[str, History]) -> None:
        self._events = events
        self._streams = streams
        self._decided: dict[str, list[Any]] = {}
        self._names: list[str] = []
        self._error: Exception | None = None

    def when(self, handler: Handler[..., Any], command: Command) -> "Scenario":
        """Runs the decision as a dispatch would: the command is validated, and its streams must have proper names."""
        names = self._names = [each.name for each in handler.parameters]
        if unknown := self._streams.keys() - set(names):
            raise AssertionError(f"given: {handler.name} has no parameter {sorted(unknown)}, only {names}")
        if self._events and len(names) > 1:
            raise AssertionError(
                f"given: {handler.name} reads several streams: name them, as in given({names[0]}=[...])"
            )
        try:
            validate(command)
            for each in handler.parameters:
                each.stream(command)
            decided = handler.decide(self._states(handler, command), command)
        except (Rejected, InvalidInput) as error:
            self._error = error
            return self
        try:
            found = by_parameter(handler, decided)
        except DefinitionError as error:
            raise AssertionError(str(error)) from error
        self._decided = {name: [plain(event) for event in events] for name, events in found.items() if events}
        return self

    def then(self, *events: Event, **streams: Sequence[Event]) -> None:
        """The decision yields exactly these events (by parameter name for a decision over several streams)."""
        wanted: Any = {name: list(each) for name, each in streams.items() if each} if streams else list(events)
        if self._error is not None:
            raise AssertionError(f"expected {_show(wanted)}, but the command was refused: {self._error}")
        found = self._decided if streams else self._found()
        if found != wanted and (found or wanted):  # {} and [] both say nothing
            raise AssertionError(f"expected {_show(wanted)}, got {_show(found)}")
        for event in [*events, *(each for stream in streams.values() for each in stream)]:
            encode(event, form_of(type(event)), MAX_PAYLOAD)  # a dispatch would refuse what cannot be stored

    def then_nothing(self) -> None:
        """The decision has nothing to say."""
        self.then()

    def then_rejected(self, match: str = "") -> None:
        """The decision refuses, with a sentence in which the regular expression `match` is found."""
        self._then_refused(Rejected, match)

    def then_invalid(self, match: str = "") -> None:
        """The command does not get as far as the decision; `match` is found in the sentence that says why."""
        self._then_refused(InvalidInput, match)

    def _states(self, handler: Handler[..., Any], command: Command) -> dict[str, Any]:
        histories = {name: self._streams.get(name, self._events) for name in self._names}
        if handler.query is not None:
            (name,) = self._names
            return {name: fold_query(handler.query(command), handler.start(command), histories[name])}
        return {each.name: fold_stream(each.aggregate, histories[each.name]) for each in handler.parameters}

    def _found(self) -> Any:
        """The events as a decision over one stream returns them, or by parameter."""
        return self._decided.get(self._names[0], []) if len(self._names) == 1 else self._decided

    def _then_refused(self, kind: type[Exception], match: str) -> None:
        if self._error is None:
            raise AssertionError(f"expected {kind.__name__}, got {_show(self._found())}")
        if not isinstance(self._error, kind) or not re.search(match, str(self._error)):
            raise AssertionError(f"expected {kind.__name__} matching {match!r}, got {self._error!r}")


def _show(events: Any) -> str:
    return repr(events) if events else "nothing"
