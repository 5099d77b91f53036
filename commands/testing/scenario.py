"""Given / when / then for decisions, without a store.

given(Deposited(100)).when(withdraw, Withdraw("a-1", 30)).then(Withdrawn(30))
given(Deposited(10)).when(withdraw, Withdraw("a-1", 30)).then_rejected("balance is 10")
"""

import re
from collections.abc import Mapping
from typing import Any

from commands.command import Command, validate
from commands.errors import InvalidCommand, Rejected
from commands.handler import Handler
from eventstore import Event, NewEvent
from eventstore.aggregate import events_of, initial
from eventstore.encoding import encode, form_of

MAX_PAYLOAD = 1 << 30


def given(*events: Event, **streams: list[Event]) -> "Scenario":
    """The history before the command.

    Args:
        events: of the one stream, or of the query.
        streams: for a decision over several streams: the events of each, by the name of its parameter.
    """
    return Scenario(list(events), streams)


class Scenario:
    """A history, and what a decision makes of a command on top of it. Failed expectations raise AssertionError."""

    def __init__(self, events: list[Event], streams: Mapping[str, list[Event]]) -> None:
        self._events = events
        self._streams = streams
        self._decided: Any = None
        self._error: Exception | None = None

    def when(self, handler: Handler[..., Any], command: Command) -> "Scenario":
        """Runs the decision, after the validation that a dispatch would do."""
        names = [each.name for each in handler.parameters]
        if unknown := self._streams.keys() - set(names):
            raise AssertionError(f"given: {handler.name} has no parameter {sorted(unknown)}, only {names}")
        states = {
            each.name: _fold(each.aggregate, self._streams.get(each.name, self._events)) for each in handler.parameters
        }
        try:
            validate(command)
            self._decided = handler.decide(states, command)
        except (Rejected, InvalidCommand) as error:
            self._error = error
        return self

    def then(self, *events: Event, **streams: list[Event]) -> None:
        """The decision yields exactly these events (by parameter name for a decision over several streams)."""
        if self._error is not None:
            raise AssertionError(f"expected {_show(events or streams)}, but the command was refused: {self._error}")
        wanted: Any = {name: each for name, each in streams.items() if each} if streams else list(events)
        plain = _events_of(self._decided)
        if plain != wanted and (plain or wanted):  # {} and [] both say nothing
            raise AssertionError(f"expected {_show(wanted)}, got {_show(plain)}")
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
        self._then_refused(InvalidCommand, match)

    def _then_refused(self, kind: type[Exception], match: str) -> None:
        if self._error is None:
            raise AssertionError(f"expected {kind.__name__}, got {_show(self._decided)}")
        if not isinstance(self._error, kind) or not re.search(match, str(self._error)):
            raise AssertionError(f"expected {kind.__name__} matching {match!r}, got {self._error!r}")


def _fold(aggregate: Any, events: list[Event]) -> Any:
    state = initial(aggregate)
    declared = events_of(aggregate)
    for event in events:
        if not isinstance(event, declared):
            raise AssertionError(  # noqa: TRY004 - the kit's one way to fail a test
                f"given: {aggregate.__name__} is not folded from {type(event).__name__}"
            )
        state = state.evolve(event)
    return state


def _events_of(decided: Any) -> Any:
    if isinstance(decided, Mapping):
        return {name: _plain(each) for name, each in decided.items() if each}
    if not isinstance(decided, (list, tuple)):
        raise AssertionError(f"expected a list of events, got {decided!r}")  # noqa: TRY004 - as above
    return _plain(decided)


def _plain(events: Any) -> list[Any]:
    return [each.event if isinstance(each, NewEvent) else each for each in events]


def _show(events: Any) -> str:
    return repr(events) if events else "nothing"
