"""Which events are published, and as what: pure maps from a recorded event to a message, so that the one is not the other."""

import inspect
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from commands.cloud_event import CloudEvent
from commands.errors import InvalidMessage, PublishFailed
from commands.message import Message, NewMessage
from commands.outbox.preparation import Origin, seal
from eventstore import DefinitionError, EventfoldError, Recorded
from eventstore.errors import shown
from eventstore.event import Event, event_type
from eventstore.stream import id_of

Outgoing: TypeAlias = Message | NewMessage[Any]
"""What can be sent."""

ToMessage: TypeAlias = Callable[[Recorded[Any]], Outgoing | Sequence[Outgoing] | None]
"""From a recorded event to what others are told of it: a message, several, or none."""


def check_publish(publish: Any) -> dict[type[Event], ToMessage]:
    """The maps by event class, as they were declared.

    Raises:
        DefinitionError: a key is no event class, a map is no plain function of one argument, or two classes have one name.
    """
    if not isinstance(publish, Mapping):
        raise DefinitionError(f"publish: expected a dict from event classes to functions, got {shown(publish)}")
    names: dict[str, type[Event]] = {}
    for cls, function in publish.items():
        if not (isinstance(cls, type) and issubclass(cls, Event) and cls is not Event):
            raise DefinitionError(f"publish: expected event classes as keys, got {shown(cls)}")
        if names.setdefault(event_type(cls), cls) is not cls:
            raise DefinitionError(f"publish: two event classes are stored as {event_type(cls)!r}; keep one")
        _check_function(cls, function)
    return dict(publish)


def _check_function(cls: type[Event], function: Any) -> None:
    where = f"publish: {cls.__name__}"
    if not callable(function) or isinstance(function, type):
        raise DefinitionError(f"{where}: expected a function from a Recorded event to a Message, got {shown(function)}")
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_kind(function) for is_kind in kinds):
        raise DefinitionError(f"{where}: expected a plain function that returns a Message; drop async or yield")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise DefinitionError(f"{where}: {_name(function)}: expected a function of one argument, the event") from None
    except ValueError:  # a callable that does not tell its signature
        return


def told_of(
    function: ToMessage, recorded: Recorded[Any], source: str, traceparent: str | None = None, by: str = ""
) -> list[CloudEvent]:
    """What others are told of an event, ready to be sent. Told again, it has the same ids.

    Raises:
        PublishFailed: the map failed, or what it returned is not acceptable.
    """
    time = recorded.recorded_us if recorded.occurred_us is None else recorded.occurred_us
    key, event_id, correlation = id_of(recorded.stream), recorded.event_id, recorded.correlation_id
    try:
        return [
            seal(
                each,
                Origin(source, _message_id(event_id, number, by), time, key, correlation, event_id, traceparent),
            )
            for number, each in enumerate(published(function, recorded))
        ]
    except InvalidMessage as error:
        raise failure(function, recorded, str(error)) from error


def _message_id(event_id: str, number: int, by: str) -> str:
    """The same each time that the event is published: its own id, and others derived from it.

    What a publication says of an event is another message than what the outbox says of it, so its name is part of the id.
    """
    return event_id if number == 0 and not by else str(uuid.uuid5(uuid.UUID(event_id), f"{by}{number}"))


def published(function: ToMessage, recorded: Recorded[Any]) -> list[Outgoing]:
    """What others are told of an event.

    Raises:
        PublishFailed: the map raised, or returned something else than messages.
    """
    try:
        found: Any = function(recorded)
    except Exception as error:
        reason = str(error) if isinstance(error, EventfoldError) else f"{type(error).__name__}: {error}"
        raise failure(function, recorded, reason) from error
    if found is None:
        return []
    messages = list(found) if isinstance(found, (list, tuple)) else [found]
    for each in messages:
        if not isinstance(each, (Message, NewMessage)):
            raise failure(function, recorded, f"expected messages, a list of them or None, got {shown(each)}")
    return messages


def failure(function: ToMessage, recorded: Recorded[Any], reason: str) -> PublishFailed:
    """Why an append is refused, or why nobody is told of an event that is stored."""
    return PublishFailed(_name(function), recorded.type, recorded.stream, reason.removesuffix("."), recorded.position)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
