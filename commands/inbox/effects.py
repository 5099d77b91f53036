"""What the consumers of one transaction bring about: SQL, events and messages, committed together."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.outbox.outbox import Outbox
from commands.outbox.publish import Outgoing
from commands.unit_of_work import UnitOfWork
from eventstore import Unsupported


class Reach(msgspec.Struct, frozen=True):
    """What consumers can reach beside their own tables.

    Attributes:
        unit: begins a unit of work over the log; None where there is no log.
        outbox: takes messages for others; None where there is none.
    """

    unit: Callable[[], UnitOfWork] | None = None
    outbox: Callable[[], Outbox] | None = None


class Effects:
    """Of one transaction.

    Args:
        connection: the transaction's; None where the inbox is in memory.
        reach: what its consumers can reach.
    """

    def __init__(self, connection: Connection | None, reach: Reach) -> None:
        self._connection = connection
        self._reach = reach
        self._unit: UnitOfWork | None = None
        self._messages: list[CloudEvent] = []

    @property
    def connection(self) -> Connection:
        """The transaction's.

        Raises:
            Unsupported: the inbox is in memory.
        """
        if self._connection is None:
            raise Unsupported(
                "connection: the inbox is in memory, so there is no transaction; give it a sqlite:// or postgresql:// URL"
            )
        return self._connection

    @property
    def unit(self) -> UnitOfWork:
        """What is decided in this transaction.

        Raises:
            Unsupported: there is no log.
        """
        if self._unit is None:
            if self._reach.unit is None:
                raise Unsupported(
                    "dispatch and append need a log, and this inbox has none; pass the consumer to an Application, or write SQL "
                    "through `received.connection`"
                )
            self._unit = self._reach.unit().__enter__()  # `finish` ends it, in the transaction of the inbox
        return self._unit

    def publish(self, messages: Sequence[Outgoing], cause: CloudEvent, correlation_id: str) -> tuple[str, ...]:
        """Takes messages for the outbox; their ids.

        Raises:
            Unsupported: there is none.
            InvalidMessage: one of them is not acceptable.
        """
        if self._reach.outbox is None:
            raise Unsupported(
                "publish needs an outbox, and this inbox has none; give it one: Inbox(..., outbox=Outbox(...))"
            )
        outbox = self._reach.outbox()
        sealed = [
            outbox.sealed(each, key=cause.key, correlation_id=correlation_id, causation_id=cause.id)
            for each in messages
        ]
        self._messages += sealed
        return tuple([each.id for each in sealed])

    def finish(self) -> None:
        """Stores what was decided and said, in the transaction.

        Raises:
            Conflict: somebody else has moved what it depends on.
        """
        if self._unit is not None:
            self._unit.store(self._connection)
        if self._messages and self._reach.outbox is not None:
            self._reach.outbox().keep_on(self._connection, self._messages)
