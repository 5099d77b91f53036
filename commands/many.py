"""Dispatches many commands at once: each on its own, in order where they name the same stream."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from commands.bus import HandlerMap
from commands.command import Command
from commands.dispatched import Dispatched
from commands.receipt import Receipt
from eventstore import InvalidInput
from eventstore.bounds import check_number
from eventstore.errors import shown

PARALLEL = 32
"""How many commands are under way at once: enough to fill a transaction that they share."""


def check_keys(given: object) -> None:
    """Refuses idempotency keys that no function makes, before any command is sent.

    Raises:
        InvalidInput: they are not.
    """
    if given is not None and not callable(given):
        raise InvalidInput(
            "idempotency_key: expected a function from a command to its key, as in lambda command: command.order_id, got "
            f"{shown(given)}"
        )


def dispatch_many(
    commands: Iterable[Command], handlers: HandlerMap, dispatch: Callable[[Command], Receipt], parallel: int
) -> list[Dispatched]:
    """Dispatches in threads.

    A command waits for the one before it that names a stream of its own. The threads take commands in order, so whatever one
    waits for was taken before it.
    """
    last: dict[str, Future[Dispatched]] = {}
    with ThreadPoolExecutor(
        check_number("parallel", parallel, least=1), thread_name_prefix="eventfold-many"
    ) as threads:
        found = []
        for command in commands:
            streams = streams_of(command, handlers)
            earlier = [last[each] for each in streams if each in last]
            future = threads.submit(_after, earlier, command, dispatch)
            last.update(dict.fromkeys(streams, future))
            found.append(future)
        return [each.result() for each in found]


def _after(
    earlier: Sequence[Future[Dispatched]], command: Command, dispatch: Callable[[Command], Receipt]
) -> Dispatched:
    wait(earlier)
    try:
        return Dispatched(command, dispatch(command))
    except Exception as error:  # noqa: BLE001 - told beside the command
        return Dispatched(command, error=error)


async def dispatch_many_async(
    commands: Iterable[Command], handlers: HandlerMap, dispatch: Callable[[Command], Awaitable[Receipt]], parallel: int
) -> list[Dispatched]:
    """Dispatches in tasks; see `dispatch_many`."""
    turns = asyncio.Semaphore(check_number("parallel", parallel, least=1))
    last: dict[str, asyncio.Task[Dispatched]] = {}

    async def after(earlier: Sequence[asyncio.Task[Dispatched]], command: Command) -> Dispatched:
        for each in earlier:
            await asyncio.wait([each])
        async with turns:
            try:
                return Dispatched(command, await dispatch(command))
            except Exception as error:  # noqa: BLE001 - told beside the command
                return Dispatched(command, error=error)

    async with asyncio.TaskGroup() as group:
        found = []
        for command in commands:
            streams = streams_of(command, handlers)
            task = group.create_task(after([last[each] for each in streams if each in last], command))
            last.update(dict.fromkeys(streams, task))
            found.append(task)
    return [each.result() for each in found]


def streams_of(command: Command, handlers: HandlerMap) -> list[str]:
    """The streams that a command names; none where it is not acceptable, which its dispatch will say."""
    try:
        handlers.check(command)
        return list(dict.fromkeys(each.stream(command) for each in handlers.find(command).parameters))
    except Exception:  # noqa: BLE001 - a rule or a stream's name raised; that command fails alone
        return []
