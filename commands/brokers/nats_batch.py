"""Hands messages over to NATS: as a batch of which the server keeps all, in their order, or nothing (since 2.12), or one by one."""

import asyncio
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

MOST_AT_ONCE = 500
MOST_BYTES_AT_ONCE = 8 << 20


class Outgoing(NamedTuple):
    """A message as it is sent, and its place among those handed over."""

    place: int
    subject: str
    headers: dict[str, str]
    body: bytes


async def publish_batch(client: Client, messages: Sequence[Outgoing], seconds: float) -> None:
    """Hands over a batch, and returns when it is kept.

    Raises:
        APIError: the server keeps nothing of it: one is there already, or it makes no batches.
        NatsError: it did not answer, and may have kept it.
    """
    name, last = uuid.uuid4().hex, len(messages)
    for number, each in enumerate(messages[:-1], 1):
        headers = {**each.headers, "Nats-Batch-Id": name, "Nats-Batch-Sequence": str(number)}
        await client.publish(each.subject, each.body, headers=headers)
    headers = {
        **messages[-1].headers,
        "Nats-Batch-Id": name,
        "Nats-Batch-Sequence": str(last),
        "Nats-Batch-Commit": "1",
    }
    answer = await client.request(messages[-1].subject, messages[-1].body, timeout=seconds, headers=headers)
    told = json.loads(answer.data)
    if "error" in told:
        APIError.from_error(told["error"])


async def confirmations(
    jetstream: JetStreamContext, messages: Sequence[Outgoing], seconds: float, answers: set["asyncio.Future[Any]"]
) -> list[BaseException | None]:
    """Hands over messages one by one, at once, and says for each why it is not kept.

    Args:
        jetstream: the connection.
        messages: in any order.
        seconds: how long they may take.
        answers: where those are that somebody else ends when the connection is lost.
    """
    sent: list[asyncio.Future[Any] | Exception] = []
    for each in messages:
        try:
            sent.append(await jetstream.publish_async(each.subject, each.body, headers=each.headers))
        except (NatsError, OSError, TimeoutError) as error:
            sent.append(error)
    waiting = {each for each in sent if isinstance(each, asyncio.Future)}
    answers |= waiting
    try:
        late = (await asyncio.wait(waiting, timeout=seconds))[1] if waiting else set()
    finally:
        answers -= waiting
    for unanswered in late:
        unanswered.cancel()
    return [
        each if isinstance(each, Exception) else TimeoutError("no confirmation") if each in late else each.exception()
        for each in sent
    ]


def chunks(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """As many at once as a batch may have."""
    chunk: list[Outgoing] = []
    size = 0
    for each in messages:
        if chunk and (len(chunk) == MOST_AT_ONCE or size + len(each.body) > MOST_BYTES_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += len(each.body)
    if chunk:
        yield chunk
