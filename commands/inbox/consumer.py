"""Consumers: functions that handle the messages of a channel."""

import inspect
from collections.abc import Callable, Iterator
from types import UnionType
from typing import (
    Any,
    Generic,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

import msgspec

from commands.cloud_event import CloudEvent
from commands.inbox.received import Received
from commands.message import Message, channel_of, message_type
from commands.retry import RetryPolicy
from eventstore import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")

Identify: TypeAlias = Literal["event", "position"] | Callable[[CloudEvent], str]

RETRY = RetryPolicy(attempts=5, base_seconds=1.0, max_seconds=60.0)
MAX_NAME = 120


class Reading(msgspec.Struct, frozen=True):
    """How a group reads a channel; all of its consumers there say the same.

    Attributes:
        group: its name.
        channel: the channel's.
        key: from what travels with a message to its key; None takes the one that came with it.
        identify: what tells a message apart from every other one; see `consumes`.
    """

    group: str
    channel: str
    key: Callable[[CloudEvent], str] | None
    identify: Identify


class Consumer(Generic[P, R]):
    """A function with the messages that it wants; calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: the function's name.
        messages: the message classes that it takes, by their names on the wire.
        reading: how its group reads the channel.
        retry: how often, and after which pauses, it is tried with a message that it fails on.
    """

    def __init__(
        self,
        function: Callable[P, R],
        messages: dict[str, type[Message]],
        reading: Reading,
        retry: RetryPolicy,
        received: str | None,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.messages = messages
        self.reading = reading
        self.retry = retry
        self._received = received
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function itself."""
        return self.function(*args, **kwargs)

    def consume(self, received: Received) -> None:
        """Has the function handle a message."""
        function: Callable[..., Any] = self.function
        if self._received is None:
            function(received.message)
        else:
            function(received.message, **{self._received: received})

    def __repr__(self) -> str:
        return f"<consumer {self.name} of {self.reading.channel}>"


@overload
def consumes(function: Callable[P, R], /) -> Consumer[P, R]: ...
@overload
def consumes(
    channel: str | None = None,
    /,
    *messages: type[Message],
    group: str | None = None,
    key: Callable[[CloudEvent], str] | None = None,
    identify: Identify = "event",
    retry: RetryPolicy = RETRY,
) -> Callable[[Callable[P, R]], Consumer[P, R]]: ...
def consumes(
    channel: Any = None,
    /,
    *messages: type[Message],
    group: str | None = None,
    key: Callable[[CloudEvent], str] | None = None,
    identify: Identify = "event",
    retry: RetryPolicy = RETRY,
) -> Any:
    """Makes a function handle the messages of a channel: each once in effect, and those of a key in order.

        @consumes("orders", group="shipping")
        def ship(message: OrderPlaced, received: Received) -> None:
            received.connection.execute(insert(shipments).values(order=message.order_id))

    It is called in a transaction, which also holds that the message was handled. Where it raises, nothing of that is stored,
    and it is tried again; so whatever else it does may be done more than once. Messages of other types are passed over.

    Args:
        channel: a topic, a stream or an exchange of the broker; by default the one that the message classes name.
        messages: their classes; by default those in the annotation of the first parameter, such as `OrderPlaced | OrderCancelled`.
        group: who reads, by default the function's name. Groups do not notice each other: each handles every message. Functions of
            one group share the messages of a channel by their types, in order.
        key: from what travels with a message to its key, where that is not the one that it came with.
        identify: what tells a message apart: "event" (its source and id), "position" (its place in the channel, for senders whose
            ids are not unique), or a function to a text.
        retry: how often, and after which pauses, a message is tried that the function fails on.

    Raises:
        DefinitionError: something can be neither inferred nor is it said, or makes no sense.
    """
    if inspect.isfunction(channel) or inspect.ismethod(channel):
        return _define(channel, None, (), None, None, "event", RETRY)
    return lambda function: _define(function, channel, messages, group, key, identify, retry)


def _define(
    function: Callable[..., Any],
    channel: Any,
    messages: tuple[type[Message], ...],
    group: str | None,
    key: Callable[[CloudEvent], str] | None,
    identify: Identify,
    retry: RetryPolicy,
) -> Consumer[..., Any]:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise DefinitionError(f"@consumes: expected a function, got {function!r}; the channel is a text")
    where = f"consumer {function.__qualname__}"
    _check_plain(where, function)
    classes, received = _parameters(where, function, messages)
    if key is not None and not callable(key):
        raise DefinitionError(f"{where}: key=: expected a function from a CloudEvent to a text, got {key!r}")
    if identify not in {"event", "position"} and not callable(identify):
        raise DefinitionError(f'{where}: identify=: expected "event", "position" or a function, got {identify!r}')
    if not isinstance(retry, RetryPolicy):
        raise DefinitionError(f"{where}: retry=: expected a RetryPolicy, got {retry!r}")
    reading = Reading(
        _named(where, "group", function.__name__ if group is None else group),
        _named(where, "channel", _channel(where, classes) if channel is None else channel),
        key,
        identify,
    )
    return Consumer(function, _by_type(where, classes), reading, retry, received)


def _check_plain(where: str, function: Callable[..., Any]) -> None:
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_kind(function) for is_kind in kinds):
        raise DefinitionError(
            f"{where}: a consumer is a plain function, since its transaction is that of a thread; drop async or yield"
        )


def _parameters(
    where: str, function: Callable[..., Any], messages: tuple[type[Message], ...]
) -> tuple[tuple[type[Message], ...], str | None]:
    """The message classes that it takes, and which parameter is given a `Received`."""
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}") from error
    names = list(inspect.signature(function).parameters)
    first, *others = names or [""]
    if not first or len(others) > 1 or any(hints.get(each) is not Received for each in others):
        raise DefinitionError(
            f"{where}: expected (message: <a Message class>) or (message: ..., received: Received), got {names}"
        )
    classes = messages or tuple(_classes_in(hints.get(first)))
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, Message)):
            raise DefinitionError(f"{where}: expected Message classes, got {each!r}")
        if each is Message:
            raise DefinitionError(
                f"{where}: expected classes of messages, got their base; declare one for each kind of message, as in "
                'class OrderPlaced(Message, channel="orders")'
            )
    if not classes:
        raise DefinitionError(
            f"{where}: {first}: annotate it with a Message class, or name one: @consumes(channel, OrderPlaced)"
        )
    return classes, others[0] if others else None


def _classes_in(annotation: Any) -> Iterator[Any]:
    annotation = getattr(annotation, "__value__", annotation)  # `type X = A | B`, Python 3.12
    if get_origin(annotation) in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _classes_in(each)
    elif annotation is not None:
        yield annotation


def _channel(where: str, classes: tuple[type[Message], ...]) -> str:
    found = {channel_of(each) for each in classes}
    if len(found) > 1 or None in found:
        names = ", ".join(f"{each.__name__} names {channel_of(each) or 'none'}" for each in classes)
        raise DefinitionError(
            f'{where}: expected one channel that its messages name, but {names}; say it here, as in @consumes("orders"), or '
            f'with the class, as in class {classes[0].__name__}(Message, channel="orders")'
        )
    (channel,) = found
    return str(channel)


def _by_type(where: str, classes: tuple[type[Message], ...]) -> dict[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for each in classes:
        if (other := found.setdefault(message_type(each), each)) is not each:
            raise DefinitionError(
                f"{where}: {other.__qualname__} and {each.__qualname__} are both called {message_type(each)!r}"
            )
    return found


def _named(where: str, field: str, value: Any) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    raise DefinitionError(f"{where}: {field}: expected a text of 1 to {MAX_NAME} printable characters, got {value!r}")
