"""Redis as a broker. Needs the extra `redis`: the official client, redis-py.

Each partition of a channel is a stream: `orders:0`, `orders:1` and so on; `orders:partitions` says how many there are. A position
is the id of a stream's entry. When a message that was answered to is on the disk is the server's to say (`appendfsync`).
"""

import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from commands.brokers.address import Address, number, read_address
from commands.brokers.broker import partition_of
from commands.brokers.channels import channel_refused, of_each_channel
from commands.brokers.content import write
from commands.brokers.redis_subscription import BODY, RedisSubscription, stream_of
from commands.brokers.unanswered import unanswered
from commands.brokers.waves import Outcome, prepared
from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable, MessageRefused
from eventstore import InvalidInput

PORT = 6379
LARGEST = 512 << 20  # what Redis takes where it does not say
MOST_AT_ONCE = 500  # in one transaction, since nobody else is served meanwhile
MOST_BYTES_AT_ONCE = 8 << 20
MOST_KEPT = 1_000_000_000
AWAY = (RedisError, OSError)

Entry: TypeAlias = tuple[int, tuple[str, dict[Any, Any]]]
"""The place of a message among those handed over, its stream and its fields."""


def open_redis(url: str) -> "RedisBroker":
    """The broker at `redis://[user:password@]host[:port][/database]`, or the same with `rediss://`.

    Its option `keep` is about how many messages of each partition are kept at least; without it all are.
    """
    address = read_address(url, {"keep": number(MOST_KEPT)})
    if len(address.hosts) != 1 or not (address.path or "0").isdecimal():
        raise InvalidInput(f"broker: expected a URL such as redis://host:6379/0, got redis://{address.shown}")
    return RedisBroker(address)


class RedisBroker:
    """See `commands.brokers.broker.Broker`."""

    def __init__(self, address: Address) -> None:
        self.description = f"Redis {address.shown}"
        self.seconds = address.seconds
        self._address = address
        self._client: Redis | None = None
        self._partitions: dict[str, int] = {}
        self._limit = 0

    async def publish(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """Hands messages over, in transactions: the server keeps all of one, or nothing."""
        outcomes: dict[int, Outcome] = {}
        try:
            counts = await of_each_channel(events, self.partitions, outcomes)
            limit = await self._largest()
            entries = prepared(
                events, range(len(events)), lambda each: self._entry(each, counts[each.channel], limit), outcomes
            )
            for chunk in _chunks(entries):
                await self._add(chunk, outcomes)
        except BrokerUnavailable as error:
            return [outcomes.get(each, error) for each in range(len(events))]
        return [outcomes[each] for each in range(len(events))]

    async def partitions(self, channel: str) -> int:
        """As many as were said when the channel was made."""
        if channel not in self._partitions:
            name = f"{channel}:partitions"
            try:
                await self.client.set(name, self._address.partitions, nx=True)
                self._partitions[channel] = int(await self.client.get(name) or 0)
            except ValueError as error:
                raise channel_refused(self.description, channel, error) from error
            except AWAY as error:
                raise self._failure(channel, error) from error
        return self._partitions[channel]

    async def subscribe(self, channel: str, partition: int, group: str, after: str | None) -> RedisSubscription:
        """Reads a partition of a channel. The server keeps nothing of the group."""
        await self.partitions(channel)
        subscription = RedisSubscription(self, channel, partition, after)
        await subscription.open()
        return subscription

    async def close(self) -> None:
        """Lets go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def client(self) -> Redis:
        """Opens a connection for each command that waits, and anew where one was lost."""
        if self._client is None:
            host, _, port = self._address.hosts[0].partition(":")
            secure: dict[str, Any] = (
                {"ssl": True, "ssl_cert_reqs": ssl.CERT_REQUIRED} if self._address.scheme == "rediss" else {}
            )
            self._client = Redis(
                host=host,
                port=int(port or PORT),
                db=int(self._address.path or 0),
                username=self._address.user,
                password=self._address.password,
                socket_timeout=self.seconds,
                socket_connect_timeout=self.seconds,
                retry=Retry(NoBackoff(), 0),  # who hands over decides when it is done again
                client_name="eventfold",
                protocol=2,  # which every server speaks, in one form
                **secure,
            )
        return self._client

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        """What is said where an answer did not come."""
        advice = "see whether the server runs, has memory left, and lets this user in"
        return unanswered(self.description, error, self.seconds, advice)

    def _failure(self, channel: str, error: BaseException) -> BrokerError:
        """Whether the server is away, or lives and does not let us have a channel."""
        if isinstance(error, NoPermissionError) or str(error).startswith("WRONGTYPE"):
            return channel_refused(self.description, channel, error)
        return self.unavailable(error)

    async def _largest(self) -> int:
        """The size of the largest value that the server takes, in bytes."""
        if not self._limit:
            try:
                told: Any = await self.client.config_get("proto-max-bulk-len")
                self._limit = int(told["proto-max-bulk-len"])
            except ResponseError:  # whoever runs it keeps that for himself
                self._limit = LARGEST
            except AWAY as error:
                raise self.unavailable(error) from error
        return self._limit

    def _entry(self, event: CloudEvent, partitions: int, limit: int) -> tuple[str, dict[Any, Any]]:
        """The stream of a message, and its fields."""
        headers, body = write(event, structured=self._address.structured)
        if len(body) > limit:
            raise MessageRefused(
                f"message {event.id}: {len(body):,} bytes are more than the {limit:,} that {self.description} takes "
                "(proto-max-bulk-len); make it smaller, or the server's limit larger"
            )
        return stream_of(event.channel, partition_of(event.key, partitions)), {**headers, BODY: body}

    async def _add(self, chunk: Sequence[Entry], outcomes: dict[int, Outcome]) -> None:
        keep = self._address.options.get("keep")
        try:
            async with self.client.pipeline(transaction=True) as transaction:
                for _, (stream, fields) in chunk:
                    transaction.xadd(stream, fields, maxlen=keep)
                answers = await transaction.execute(raise_on_error=False)
        except AWAY as error:
            raise self.unavailable(error) from error
        for (place, (stream, _)), answer in zip(chunk, answers, strict=True):
            outcomes[place] = self._failure(stream, answer) if isinstance(answer, Exception) else None


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for each in entries:
        own = len(each[1][1][BODY])
        if chunk and (len(chunk) == MOST_AT_ONCE or size + own > MOST_BYTES_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += own
    if chunk:
        yield chunk
