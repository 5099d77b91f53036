"""Companions of the log: what is written in an append's own transaction beside its events.

Rows of other tables that must never say anything else than the log does: read models that are kept inline, messages of an outbox,
the keys of commands that were done. They are committed with the events, or not at all.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from eventstore.backend import WriteRequest, Written


class Stored(msgspec.Struct, frozen=True):
    """An append whose events are stored in the transaction that is under way.

    Attributes:
        request: what was asked for.
        written: where it went.
    """

    request: WriteRequest
    written: Written


class Insert(msgspec.Struct, frozen=True):
    """A row for another table, which a database may take in one statement with the events.

    Attributes:
        into: the table and its columns: `table (first, second)`.
        values: an expression for each column, with `?` where a parameter stands, as in `?, ?::bigint`.
        params: the parameters.
    """

    into: str
    values: str
    params: tuple[str | int | None, ...]


class Companion(Protocol):
    """Writes rows of other tables with the events of each append that concerns it. `EventStore.accompany` takes one on."""

    def concerns(self, request: WriteRequest) -> bool:
        """Whether it has something to write with this append. Asked before each one, so it must be quick."""

    def types(self, requests: Sequence[WriteRequest]) -> Iterable[str]:
        """The stored types of which nobody else may append an event while these appends are under way.

        They are locked before positions are drawn. So what is written with events of these types is written in the order of
        their positions, and everything below them can be seen.
        """

    def inserts(self, request: WriteRequest) -> Sequence[Insert] | None:
        """What `write` would write with this append, where all of it is known beforehand; None where `write` has to be asked.

        It spares most appends the round trips of a transaction that is begun and ended outright. Where a row is refused, all is
        taken back, and `write` is asked.
        """

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Writes within the transaction, after the events, and does not commit.

        Args:
            connection: the transaction's; None where the log is in memory.
            stored: the appends, in the order of their positions.

        Raises:
            EventfoldError: the append is refused with it, and nothing of it is stored. Where several appends share a transaction,
                each is tried without the others, so that only those fail that are at fault.
        """

    def forget(self, stored: Sequence[Stored]) -> None:
        """Takes back what was written with these appends, because a later companion refuses them.

        Only a log in memory asks for it: everywhere else the transaction ends.
        """


def accompany(companions: Iterable[Companion], connection: Connection | None, stored: Sequence[Stored]) -> None:
    """Lets each companion write what belongs to these appends."""
    for companion in companions:
        if mine := [each for each in stored if companion.concerns(each.request)]:
            companion.write(connection, mine)


def inserts_beside(companions: Iterable[Companion], request: WriteRequest) -> list[Insert] | None:
    """All rows that companions insert with this append; None where one of them has to be asked for more."""
    found: list[Insert] = []
    for companion in companions:
        inserts = companion.inserts(request)
        if inserts is None:
            return None
        found.extend(inserts)
    return found


def types_alone(companions: Iterable[Companion], requests: Sequence[WriteRequest]) -> frozenset[str]:
    """The types of which nobody else may append an event while these appends are under way."""
    found: set[str] = set()
    for companion in companions:
        if mine := [each for each in requests if companion.concerns(each)]:
            found.update(companion.types(mine))
    return frozenset(found)
