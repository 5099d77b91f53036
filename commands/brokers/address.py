"""What the URL of a broker says: where it is, who asks, and how channels are made."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from commands.brokers.broker import PARTITIONS
from eventstore import InvalidInput

MOST_PARTITIONS = 1_000
MOST_REPLICAS = 9
MOST_SECONDS = 600
SECONDS = 10.0
BINARY, STRUCTURED = "binary", "structured"


class Address(msgspec.Struct, frozen=True):
    """The parts of a broker's URL.

    Attributes:
        scheme: the kind of broker, such as `nats`.
        hosts: `name:port` each, or only the name.
        user: who asks; None where the URL does not say.
        password: never shown.
        path: what follows the hosts, without the slash before it.
        partitions: how many a channel gets that is made; how many it has where it is there already is the broker's to say.
        structured: whether a message is one JSON text, attributes and all, instead of headers and data.
        replicas: how many servers of a cluster keep each message of a channel that is made.
        seconds: how long an answer may take.
        options: the others, by name.
    """

    scheme: str
    hosts: tuple[str, ...]
    user: str | None
    password: str | None
    path: str
    partitions: int = PARTITIONS
    structured: bool = False
    replicas: int = 1
    seconds: float = SECONDS
    options: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        """Without the password."""
        return f"Address({self.shown!r})"

    @property
    def shown(self) -> str:
        """For people: where it is, without secrets."""
        return f"{', '.join(self.hosts)}{f' {self.path}' if self.path else ''}"


def read_address(url: str, options: Mapping[str, "Read"] | None = None) -> Address:
    """Reads a URL such as `kafka://user:password@one:9092,two:9092?partitions=16`.

    Args:
        url: the URL.
        options: those that this kind of broker has beside `partitions`, `replicas`, `mode` and `timeout`, and how each is read.

    Raises:
        InvalidInput: there is no host, an option is unknown, or its value is not acceptable.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # such as half of an IPv6 address; its text may hold the password
        scheme = url.partition("://")[0]
        raise InvalidInput(
            f"broker: expected a host as in {scheme}://127.0.0.1 or {scheme}://[::1], got none that can be read"
        ) from None
    known = {**_COMMON, **(options or {})}
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - known.keys()):
        expected = ", ".join(sorted(known))
        raise InvalidInput(f"broker: expected only the options {expected} in the URL, got {', '.join(unknown)}")
    values = {name: known[name](name, text) for name, text in given.items()}
    user, password, hosts = _hosts(parts)
    if not hosts and parts.scheme != "memory":
        raise InvalidInput(f"broker: expected a host in the URL, as in {parts.scheme}://127.0.0.1")
    return Address(
        scheme=parts.scheme,
        hosts=hosts,
        user=user,
        password=password,
        path=unquote(parts.path.removeprefix("/")),
        partitions=values.pop("partitions", PARTITIONS),
        replicas=values.pop("replicas", 1),
        structured=values.pop("mode", BINARY) == STRUCTURED,
        seconds=float(values.pop("timeout", SECONDS)),
        options=values,
    )


def _hosts(parts: SplitResult) -> tuple[str | None, str | None, tuple[str, ...]]:
    who, _, where = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    hosts = tuple(each.strip() for each in where.split(",") if each.strip())
    return unquote(user) or None, unquote(password) or None, hosts


def number(most: int) -> "Read":
    """Reads an option that is a number from 1."""

    def read(name: str, text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise InvalidInput(f"broker: {name}: expected a number from 1 to {most:,}, got {text!r}")
        return int(text)

    return read


def one_of(*values: str) -> "Read":
    """Reads an option that is one of some words."""

    def read(name: str, text: str) -> str:
        if text not in values:
            raise InvalidInput(f"broker: {name}: expected {' or '.join(values)}, got {text!r}")
        return text

    return read


Read: TypeAlias = Callable[[str, str], Any]
"""From the name and the text of an option to its value."""

_COMMON: Mapping[str, Read] = {
    "partitions": number(MOST_PARTITIONS),
    "replicas": number(MOST_REPLICAS),
    "mode": one_of(BINARY, STRUCTURED),
    "timeout": number(MOST_SECONDS),
}
