"""From a command to the stream it is about."""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from commands.command import Command
from commands.errors import InvalidCommand
from eventstore import Aggregate, DefinitionError, stream_name
from eventstore.aggregate import category_of

StreamRule: TypeAlias = Callable[[Any], str]


def rule_for(
    where: str, command: type[Command], aggregate: type[Aggregate[Any]], given: str | StreamRule | None
) -> StreamRule:
    """The function from a command to the name of the aggregate's stream.

    Args:
        where: the handler, for the error.
        command: the command class.
        aggregate: the aggregate class.
        given: what `@handles` says: a field's name, a function, or nothing, which means the field `<category>_id`.

    Returns:
        The function. It raises `InvalidCommand` where the field holds None.

    Raises:
        DefinitionError: the command has no such field, or what is given is neither a field nor a function.
    """
    if callable(given):
        return given
    if given is not None and not isinstance(given, str):
        raise DefinitionError(f"{where}: expected a field or a function to name a stream, got {given!r}")
    category = category_of(aggregate)
    field = f"{category}_id" if given is None else given
    fields = [each.name for each in msgspec.structs.fields(command)]
    if field not in fields:
        raise DefinitionError(
            f"{where}: {command.__name__} has no field {field!r} to name the stream of {aggregate.__name__} (it has "
            f"{', '.join(fields) or 'none'}); add it, or name another with @handles(stream=...)"
        )

    def rule(each: Command) -> str:
        found = getattr(each, field)
        if found is None:
            raise InvalidCommand(command.__name__, [f"{field}: expected what names the stream, got None"])
        return stream_name(category, str(found))

    return rule
