"""Middleware that checks commands by what the read models say."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, get_type_hints

import msgspec

from commands.around import Around, Steps
from commands.command import Command, gathered
from commands.envelope import Envelope
from commands.errors import InvalidCommand
from eventstore import DefinitionError

Ask: TypeAlias = Callable[[type[Any]], Any]
"""`app.query`: from a model to a query over it."""
Check: TypeAlias = Callable[[Any, Ask], Iterable[str]]
Done: TypeAlias = Callable[[Envelope], bool]
"""Whether a command was done before, under its idempotency key."""


class LookUp(msgspec.Struct, frozen=True):
    """Checks that wait for the application whose read models they ask.

    Attributes:
        checks: by the command that each looks at.
    """

    checks: dict[type[Command], tuple[Check, ...]]

    def bind(self, ask: Ask, done: Done) -> Around:
        """The middleware, which asks this application's queries.

        A command that was done before under its idempotency key is not refused for what it has done itself.
        """

        def looked_up(envelope: Envelope) -> Steps:
            command = envelope.command
            found = [check(command, ask) for check in self.checks.get(type(command), ())]
            faults = [fault for each in found for fault in gathered(type(command), each)]
            if faults and not done(envelope):
                raise InvalidCommand(type(command).__name__, faults)
            yield envelope
            return None

        return Around(looked_up, "look_up", blocking=True)


def bound(middleware: Iterable[Any], ask: Ask, done: Done) -> tuple[Any, ...]:
    """The middleware, with an application's queries for whatever looks something up."""
    return tuple(each.bind(ask, done) if isinstance(each, LookUp) else each for each in middleware)


def look_up(*checks: Check) -> LookUp:
    """Refuses commands for what a query says, with every faulty field at once. Nothing is stored then.

        def name_is_free(command: Register, ask: Ask) -> Iterable[str]:
            if ask(User).where(name=command.name).count():
                yield "name: is taken"

        Application(..., middleware=[look_up(name_is_free)])

    A read model is a moment behind the log where a worker keeps it, for ever where nothing does, and never where it is inline; and
    two commands may pass at once. Such a check spares people most of the refusals, but what must never happen belongs into a
    decision over a query.

    Args:
        checks: functions of the command that their first annotation names, and of `app.query`, to one sentence a fault.

    Raises:
        DefinitionError: a check does not say what it checks.
    """
    by_command: dict[type[Command], tuple[Check, ...]] = {}
    for check in checks:
        command = _command_of(check)
        by_command[command] = (*by_command.get(command, ()), check)
    return LookUp(by_command)


def _command_of(check: Check) -> type[Command]:
    name = getattr(check, "__name__", repr(check))
    try:
        parameters, hints = list(inspect.signature(check).parameters), get_type_hints(check)
    except (TypeError, ValueError, NameError) as error:
        raise DefinitionError(f"look_up: {name}: expected a function (command, ask), got {check!r}: {error}") from error
    takes_both = len(parameters) == len(("command", "ask"))
    found = hints.get(parameters[0]) if takes_both else None
    if not (isinstance(found, type) and issubclass(found, Command)):
        raise DefinitionError(f"look_up: {name}: expected (command: <Command class>, ask: Ask), got {parameters}")
    return found
