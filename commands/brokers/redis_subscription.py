"""Reads one partition of a channel from Redis: the entries of its stream after an id."""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from commands.brokers.broker import Delivery
from commands.brokers.content import deliver

if TYPE_CHECKING:
    from commands.brokers.redis import RedisBroker

LOG = logging.getLogger("eventfold.brokers")
BODY = "data"
BEGINNING = "0-0"


def stream_of(channel: str, partition: int) -> str:
    """The name of a partition's stream."""
    return f"{channel}:{partition}"


class RedisSubscription:
    """See `commands.brokers.broker.Subscription`."""

    def __init__(self, broker: "RedisBroker", channel: str, partition: int, after: str | None) -> None:
        self._broker, self._channel = broker, channel
        self._stream = stream_of(channel, partition)
        self._after = after or BEGINNING

    async def open(self) -> None:
        """Looks whether what comes after the position is still there.

        Raises:
            BrokerUnavailable: the server is away.
        """
        try:
            about = await self._broker.client.xinfo_stream(self._stream)
        except ResponseError:  # nothing was said yet
            about = {"first-entry": None, "last-generated-id": BEGINNING}
        except (RedisError, OSError) as error:
            raise self._broker.unavailable(error) from error
        last = _text(about["last-generated-id"])
        if _order(self._after) > _order(last):
            LOG.warning(
                "%s: %s was made anew: it ends at %s, and %s was handled already; it is read from its beginning",
                *(self._broker.description, self._stream, last, self._after),
            )
            self._after = BEGINNING
        first = _text(about["first-entry"][0]) if about["first-entry"] else last
        if self._after != BEGINNING and _order(self._after) < _order(first):
            LOG.warning(
                "%s: %s is kept from %s only, and was handled up to %s: what lay between may be lost to this reader",
                *(self._broker.description, self._stream, first, self._after),
            )

    async def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next messages."""
        deadline = time.monotonic() + wait_seconds
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            block = int(
                min(left, self._broker.seconds / 2) * 1000
            )  # an answer must come before the connection counts as lost
            try:
                found: Any = await self._broker.client.xread({self._stream: self._after}, limit, block or None)
            except (RedisError, OSError) as error:
                raise self._broker.unavailable(error) from error
            if found:
                return [self._given(_text(position), fields) for position, fields in found[0][1]]
            if not block:
                return []

    def _given(self, position: str, fields: Mapping[bytes, bytes]) -> Delivery:
        self._after = position
        read = {_text(name): value for name, value in fields.items()}
        body = read.pop(BODY, None)
        headers = {name: _text(value) for name, value in read.items()}
        arrived_us = _order(position)[0] * 1000
        whole = (
            body if body is not None else msgspec.json.encode(headers)
        )  # for people, who find there what came instead
        return deliver(position, headers, whole, channel=self._channel, arrived_us=arrived_us)

    async def confirm(self, position: str) -> None:
        """Nothing to do: the reader keeps its position itself."""

    async def close(self) -> None:
        """Nothing to let go of: connections are the broker's."""


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _order(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)
