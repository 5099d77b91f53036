"""The outbox for asyncio: the same names, awaited."""

import asyncio

from commands.outbox.outbox import Outbox
from commands.outbox.policy import DAY_SECONDS
from commands.outbox.publish import Outgoing
from commands.outbox.row import OutboxRow
from commands.outbox.table import Counts
from eventfold.parts import Parts


class AsyncOutbox:
    """`Outbox` for asyncio, of an application.

    In a transaction of one's own messages are added through its sync connection:
    `await connection.run_sync(app.outbox.sync.add, message)`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def sync(self) -> Outbox:
        """The outbox itself, whose methods block."""
        return self._parts.outbox

    async def send(self, *messages: Outgoing) -> tuple[str, ...]:
        """Adds messages in a transaction of their own. See `Outbox.add`."""
        return await asyncio.to_thread(lambda: self.sync.add(None, *messages))

    async def messages(
        self,
        *,
        state: str | None = None,
        channel: str | None = None,
        key: str | None = None,
        after: int = 0,
        limit: int | None = 100,
    ) -> list[OutboxRow]:
        """Messages in the order in which they were added. See `Outbox.messages`."""
        return await asyncio.to_thread(
            lambda: self.sync.messages(state=state, channel=channel, key=key, after=after, limit=limit)
        )

    async def message(self, message_id: str) -> OutboxRow:
        """The message with this id. See `Outbox.message`."""
        return await asyncio.to_thread(lambda: self.sync.message(message_id))

    async def status(self) -> Counts:
        """How it does. See `Outbox.status`."""
        return await asyncio.to_thread(lambda: self.sync.status())  # noqa: PLW0108 - `sync` opens the log, which blocks

    async def retry(self, *message_ids: str) -> int:
        """Lets parked messages be sent. See `Outbox.retry`."""
        return await asyncio.to_thread(lambda: self.sync.retry(*message_ids))

    async def discard(self, message_id: str) -> OutboxRow:
        """Gives a parked message up. See `Outbox.discard`."""
        return await asyncio.to_thread(lambda: self.sync.discard(message_id))

    async def prune(self, older_than_seconds: float = DAY_SECONDS) -> int:
        """Forgets messages that were sent longer ago than that. See `Outbox.prune`."""
        return await asyncio.to_thread(lambda: self.sync.prune(older_than_seconds))
