"""What a backend must do to be the target of a copy."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from eventstore.backend import Row
from eventstore.errors import InvalidInput
from eventstore.sql_database import SqlDatabase


class CopyProgress(msgspec.Struct, frozen=True):
    """How far a log is a copy of another one.

    Attributes:
        transform: the name of the transform; empty where there is none.
        source_position: the last position of the source that was read.
        source_event_id: the id of the event there.
        target_position: the last position that was written.
        events_read: how many events were read.
        events_written: how many were written.
    """

    transform: str
    source_position: int = 0
    source_event_id: str = ""
    target_position: int = 0
    events_read: int = 0
    events_written: int = 0


class LogImport(Protocol):
    """Takes recorded events as they are."""

    def progress(self) -> CopyProgress | None:
        """How far the copy has come; None where none has begun."""

    def head(self) -> int:
        """The last position in the log."""

    def versions(self) -> dict[str, int]:
        """The version of every stream."""

    def write(
        self, rows: Sequence[Row], positions: Sequence[tuple[int, int]], before: CopyProgress, progress: CopyProgress
    ) -> None:
        """Stores rows and how far the copy has come with them, in one transaction.

        Raises:
            InvalidInput: somebody else has written to the log meanwhile, or has gone on with the copy from where it was before.
        """

    def carries(self, source: SqlDatabase) -> bool:
        """Whether events of this database can be stored without reading them here, by `carry`."""

    def carry(self, source: SqlDatabase, before: CopyProgress, up_to: int, limit: int) -> CopyProgress:
        """Stores up to `limit` of the source's next events as they are, in one transaction.

        Args:
            source: the database that holds them.
            before: how far the copy has come.
            up_to: the last position of the source that is wanted.
            limit: how many events.

        Returns:
            How far the copy has come with them; the same as before where there are none.

        Raises:
            InvalidInput: somebody else has written to the log meanwhile, or has gone on with the copy from where it was before.
        """

    def finish(self, progress: CopyProgress) -> None:
        """Makes sure that everything is on the disk, and that new positions follow those copied."""

    def target_position(self, source_position: int) -> int | None:
        """Where a position of the source went; None where positions were not counted anew."""


def check_alone(found: CopyProgress | None, before: CopyProgress, description: str) -> None:
    """Refuses to go on with a copy that another process goes on with.

    Raises:
        InvalidInput: it has come elsewhere meanwhile.
    """
    position = found.source_position if found is not None else 0
    if position != before.source_position:
        raise InvalidInput(
            f"{description}: expected the copy to have come to position {before.source_position} of the source, got one that "
            f"has come to {position}: another process copies into it, too; let it finish, and run the copy again"
        )


def check_untouched(head: int, progress: CopyProgress | None, description: str) -> None:
    """Refuses a target that holds what the copy did not write.

    Raises:
        InvalidInput: it does.
    """
    expected = progress.target_position if progress is not None else 0
    if head != expected:
        raise InvalidInput(
            f"{description}: expected an empty log or the beginning of this copy, which ends at position {expected}, "
            f"got one that ends at {head}; copy into a database, schema or prefix of its own"
        )
