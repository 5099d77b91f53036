"""Hands the outbox's messages to a broker, in a thread and an event loop of its own."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from commands.brokers.opening import BrokerSource, open_broker
from commands.outbox.outbox import Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.relay import Relay
from commands.until_stopped import until_stopped

if TYPE_CHECKING:
    from commands.outbox.stream import OutboxStream


class RelayFollower:
    """A worker's relay, or stream. Nothing but `stop` ends it.

    Args:
        outbox: opens it; called in the thread, so that a database that is away is waited for.
        broker: where connections to it come from.
        policy: how it goes about it, and whether PostgreSQL's write-ahead log says what is to be sent.

    Attributes:
        sent: how many messages it has handed over.
    """

    def __init__(self, outbox: Callable[[], Outbox], broker: BrokerSource, policy: RelayPolicy) -> None:
        self._outbox, self._broker, self._policy = outbox, broker, policy
        self._kind = _kind(streamed=policy.streamed)
        self._relay: Relay | OutboxStream | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="eventfold-relay", daemon=True)

    @property
    def sent(self) -> int:
        """How many messages it has handed over."""
        return 0 if self._relay is None else self._relay.sent

    def start(self) -> None:
        """Works until it is stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch in hand, and waits for that."""
        self._stopping.set()
        if self._relay is not None:
            self._relay.stop()
        if self._thread.ident is not None:  # it was begun
            self._thread.join()

    def _work(self) -> None:
        # a broker that cannot be opened or closed, or a database that does not say what is committed, is waited for
        until_stopped(lambda: asyncio.run(self._serve()), self._stopping, "the relay")

    async def _serve(self) -> None:
        broker = open_broker(self._broker)
        try:
            self._relay = self._kind(self._outbox(), broker, self._policy)
            if not self._stopping.is_set():
                await self._relay.run()
        finally:
            await broker.close()


def _kind(*, streamed: bool) -> "type[Relay | OutboxStream]":
    if not streamed:
        return Relay
    from commands.outbox.stream import OutboxStream  # needs the extra `postgres`

    return OutboxStream
