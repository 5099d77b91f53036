"""Which broker a URL means."""

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, cast

from commands.brokers.address import read_address
from commands.brokers.broker import Broker
from commands.brokers.memory import MemoryBroker
from eventstore import InvalidInput, Unsupported

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


def open_broker(url: str) -> Broker:
    """The broker at a URL, which is connected to when it is used first.

    Args:
        url: `nats://host`, `kafka://host,host`, `amqp://user:password@host/vhost`, `redis://host/0` or `memory://name`. The option
            `partitions` says how many a channel gets that is made, `mode=structured` sends a message as one JSON text, and
            `timeout` is how many seconds an answer may take; see each broker for more. Another package may bring a broker of its
            own as an entry point of the group `eventfold.brokers`, by the scheme of its URL: a function of the URL.

    Raises:
        InvalidInput: the URL is not one of a broker, or an option is not acceptable.
        Unsupported: the library that it needs is not installed.
    """
    scheme = url.partition("://")[0] if "://" in url else ""  # what has none may be a secret
    if scheme == "memory":
        address = read_address(url)
        return MemoryBroker(", ".join(address.hosts), partitions=address.partitions)
    return _opener(scheme)(url)


def _opener(scheme: str) -> Callable[[str], Broker]:
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
    raise InvalidInput(
        f"broker: expected a URL that begins with {', '.join(f'{each}://' for each in ['memory', *_EXTRAS])}, got {scheme!r}"
    )
