"""What the consumers of one transaction bring about: SQL, events and messages, committed together."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection

from commands.cloud_event import CloudEvent
from commands.message import Message, NewMessage
from commands.unit_of_work import UnitOfWork
from eventstore import Unsupported

Publish: TypeAlias = Callable[[Connection | None, Sequence[Message | NewMessage[Any]], CloudEvent], None]


class Reach(msgspec.Struct, frozen=True):
    """What consumers can reach beside their own tables.

    Attributes:
        unit: begins a unit of work over the log; None where there is no log.
        publish: takes messages, which the message at hand has caused, for the outbox; None where there is no outbox.
    """

    unit: Callable[[], UnitOfWork] | None = None
    publish: Publish | None = None


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
            self._unit = self._reach.unit()
        return self._unit

    def publish(self, messages: Sequence[Message | NewMessage[Any]], cause: CloudEvent) -> None:
        """Takes messages for the outbox.

        Raises:
            Unsupported: there is none.
        """
        if self._reach.publish is None:
            raise Unsupported(
                "publish needs an outbox, and this inbox has none; give its Application `broker=` and `source=`"
            )
        self._reach.publish(self._connection, messages, cause)

    def finish(self) -> None:
        """Stores what was decided, in the transaction.

        Raises:
            Conflict: somebody else has moved what it depends on.
        """
        if self._unit is not None:
            self._unit.store(self._connection)
