"""Which broker is meant: by a URL, or by a function that makes a connection to it."""

import importlib
import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeAlias, cast

from commands.brokers.address import read_address
from commands.brokers.broker import Broker
from commands.brokers.memory import MemoryBroker
from eventstore import DefinitionError, InvalidInput, Unsupported
from eventstore.errors import shown

_EXTRAS = {
    "nats": "nats",
    "tls": "nats",
    "kafka": "kafka",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
    "redis": "redis",
    "rediss": "redis",
}
"""The module of each scheme, and the extra that it needs."""


BrokerSource: TypeAlias = str | Callable[[], Broker] | MemoryBroker
"""Where connections to a broker come from: its URL, a function that makes one, or a broker in memory, which is none and serves all.

The relay, the publications and the consumers of an application each have one, in an event loop of its own.
"""


def check_broker(given: Any) -> BrokerSource | None:
    """Where connections come from; None where that is nowhere.

    Raises:
        DefinitionError: it is a connection itself, or something else.
    """
    if given is None or isinstance(given, (str, MemoryBroker)):
        return given
    if isinstance(given, type) or not callable(given):
        kind = given.__name__ if isinstance(given, type) else type(given).__name__
        if hasattr(given, "publish"):
            raise DefinitionError(
                f"broker: expected a URL, or a function that makes a connection, got a {kind}, which is of one event loop, and is "
                f"used in several; give its URL, or a function: broker=lambda: {kind}(...)"
            )
        raise DefinitionError(f"broker: expected a URL, or a function that makes a connection, got {shown(given)}")
    if inspect.iscoroutinefunction(given) or _needs_arguments(given):
        raise DefinitionError(
            f"broker: expected a plain function without parameters, got {shown(given)}; it connects when it is used"
        )
    return cast("BrokerSource", given)


def _needs_arguments(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # a callable that does not tell its signature
        return False
    return False


def open_broker(source: BrokerSource) -> Broker:
    """A connection to a broker, which connects when it is used first; whoever asks for it closes it.

    Args:
        source: a function that makes it, a broker in memory, or a URL: `nats://host`, `kafka://host,host`,
            `amqp://user:password@host/vhost`, `redis://host/0` or `memory://name`. The option `partitions` says how many a channel
            gets that is made, `mode=structured` sends a message as one JSON text, and `timeout` is how many seconds an answer may
            take; see each broker for more. Another package may bring a broker of its own as an entry point of the group
            `eventfold.brokers`, by the scheme of its URL: a function of the URL.

    Raises:
        InvalidInput: the URL is not one of a broker, or an option is not acceptable.
        Unsupported: the library that it needs is not installed.
        DefinitionError: the function makes no broker.
    """
    if isinstance(source, MemoryBroker):
        return source
    return _at(source) if isinstance(source, str) else _made_by(source)


def _made_by(function: Callable[[], Broker]) -> Broker:
    made: Any = function()
    if not hasattr(made, "publish"):
        raise DefinitionError(f"broker: expected {shown(function)} to make a broker, got {shown(made)}")
    return cast("Broker", made)


def _at(url: str) -> Broker:
    scheme, colon, _ = url.partition("://")
    known = f"broker: expected a URL that begins with {', '.join(f'{each}://' for each in ['memory', *_EXTRAS])}"
    if not colon:  # and is not shown: it may be a secret
        raise InvalidInput(f"{known}, got one without `://`; write nats://host:4222, say, in place of host:4222")
    if scheme == "memory":
        address = read_address(url)
        return MemoryBroker(", ".join(address.hosts), partitions=address.partitions)
    opener = _opener(scheme)
    if opener is None:
        raise InvalidInput(f"{known}, got {scheme!r}")
    return opener(url)


def _opener(scheme: str) -> Callable[[str], Broker] | None:
    if extra := _EXTRAS.get(scheme):
        try:
            module: Any = importlib.import_module(f"commands.brokers.{extra}")
        except ImportError as error:
            raise Unsupported(
                f"{scheme}:// needs a library that is not installed ({error}): install eventfold with its extra `{extra}`, as in "
                f"pip install 'path/to/eventfold[{extra}]'"
            ) from error
        return cast("Callable[[str], Broker]", getattr(module, f"open_{extra}"))
    for entry in entry_points(group="eventfold.brokers"):
        if entry.name == scheme:
            return cast("Callable[[str], Broker]", entry.load())
    return None
