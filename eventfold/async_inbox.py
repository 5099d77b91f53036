"""The inbox for asyncio: the same names, awaited."""

import asyncio
from collections.abc import Callable

from commands.inbox.inbox import Inbox
from commands.inbox.messages import InboxMessage, InboxStatus, RetriedMessages
from commands.inbox.worker import InboxWorker


class AsyncInbox:
    """`Inbox` for asyncio. Consumers are plain functions here, too: their transactions are those of threads.

    Args:
        open_inbox: gives the inbox, which may open its database.
    """

    def __init__(self, open_inbox: Callable[[], Inbox]) -> None:
        self._open = open_inbox

    async def worker(self) -> InboxWorker:
        """Consumes messages: `async with await app.inbox.worker(): ...`. See `Inbox.worker`."""
        return await asyncio.to_thread(lambda: self._open().worker())

    async def messages(self, *, after: int = 0, limit: int | None = None) -> list[InboxMessage]:
        """The messages that are set aside. See `Inbox.messages`."""
        return await asyncio.to_thread(lambda: self._open().messages(after=after, limit=limit))

    async def message(self, number: int) -> InboxMessage:
        """A message that is set aside. See `Inbox.message`."""
        return await asyncio.to_thread(lambda: self._open().message(number))

    async def followers(self, number: int) -> list[InboxMessage]:
        """What follows a message under its key. See `Inbox.followers`."""
        return await asyncio.to_thread(lambda: self._open().followers(number))

    async def retry(self, *numbers: int) -> list[RetriedMessages]:
        """Handles messages that are set aside, in a thread. See `Inbox.retry`."""
        return await asyncio.to_thread(lambda: self._open().retry(*numbers))

    async def discard(self, number: int, *, followers: bool = False) -> int:
        """Gives a message up. See `Inbox.discard`."""
        return await asyncio.to_thread(lambda: self._open().discard(number, followers=followers))

    async def prune(self) -> int:
        """Forgets what was handled long ago. See `Inbox.prune`."""
        return await asyncio.to_thread(lambda: self._open().prune())

    async def status(self) -> list[InboxStatus]:
        """How far each group has read each partition. See `Inbox.status`."""
        return await asyncio.to_thread(lambda: self._open().status())
