"""Hands messages over to NATS: as a batch of which the server keeps all, in their order, or nothing (since 2.12), or one by one."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nats.aio.client import NO_RESPONDERS_STATUS, Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

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
    if (error := _refusal(answer)) is not None:
        raise error


async def confirmations(
    client: Client, messages: Sequence[Outgoing], seconds: float, answers: set["asyncio.Future[Any]"]
) -> list[BaseException | None]:
    """Hands over messages one by one, at once, and says for each why it is not kept.

    Not by the library's own `publish_async`: where the server refuses a message, that hears no answer.

    Args:
        client: the connection.
        messages: in any order.
        seconds: how long they may take.
        answers: where those are that somebody else ends when the connection is lost.

    Raises:
        NatsError: there is no connection.
    """
    inbox, loop = client.new_inbox(), asyncio.get_running_loop()
    waiting = {f"{inbox}.{number}": loop.create_future() for number in range(len(messages))}

    async def answered(answer: Msg) -> None:
        if (future := waiting.get(answer.subject)) is not None and not future.done():
            future.set_result(answer)

    subscription = await client.subscribe(f"{inbox}.*", cb=answered)
    futures = list(waiting.values())
    answers.update(futures)
    try:
        for each, (reply, future) in zip(messages, waiting.items(), strict=True):
            try:
                await client.publish(each.subject, each.body, reply=reply, headers=each.headers)
            except (NatsError, OSError, TimeoutError) as error:
                future.set_exception(error)
        await asyncio.wait(futures, timeout=seconds)
    finally:
        answers.difference_update(futures)
        with contextlib.suppress(NatsError, OSError):
            await subscription.unsubscribe()
    return [_outcome(each) for each in futures]


def _outcome(answer: "asyncio.Future[Msg]") -> BaseException | None:
    if not answer.done():
        answer.cancel()
        return TimeoutError("no confirmation")
    return answer.exception() or _refusal(answer.result())


def _refusal(answer: Msg) -> Exception | None:
    """Why the server does not keep what it answers to; None where it does."""
    if (answer.headers or {}).get("Status") == NO_RESPONDERS_STATUS:
        return NoStreamResponseError()
    told = json.loads(answer.data)
    if "error" in told:
        try:
            APIError.from_error(told["error"])
        except APIError as error:
            return error
    return None


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
