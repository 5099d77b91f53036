"""Reads wanted events from the log, under whatever name and in whatever shape they are stored."""

from collections.abc import Sequence
from typing import Any

import msgspec

from eventstore.backend import Backend, LogFilter, Row, query_matches
from eventstore.codec import Codec
from eventstore.recorded import Recorded
from eventstore.share import id_of, share_of


class LogReader:
    """Asks the database for the older names of the wanted types too, and leaves out what else it then finds.

    Args:
        backend: the log.
        codec: decodes, and knows the older names.
        wanted: in terms of the types of today.
    """

    def __init__(self, backend: Backend, codec: Codec, wanted: LogFilter) -> None:
        self._share = None if backend.divides else wanted.share
        if self._share is not None:
            wanted = msgspec.structs.replace(wanted, share=None)
        self._backend = backend
        self._codec = codec
        self._left = None
        if wanted.query is not None:
            self._left = codec.lineage.left(wanted.query)
            wanted = msgspec.structs.replace(wanted, query=codec.lineage.stored(wanted.query))
        self._stored = wanted

    def rows(self, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` stored events with `after < position <= up_to`, each of which may hold wanted events."""
        return self._backend.log_page(self._stored, after, up_to, limit, backwards=backwards)

    def page(self, after: int, up_to: int, limit: int) -> tuple[list[Row], int]:
        """A page of `rows`, and the position up to which it holds everything that is wanted."""
        rows = self.rows(after, up_to, limit)
        reached = rows[-1][0] if len(rows) == limit else up_to
        if self._share is not None:
            number, of = self._share
            rows = [row for row in rows if share_of(id_of(row[1]), of) == number]
        return rows, reached

    def decode(self, rows: Sequence[Row]) -> list[Recorded[Any]]:
        """The wanted events of these rows; a page never ends within a row."""
        events, left = self._codec.decode(rows), self._left
        return events if left is None else [each for each in events if query_matches(left, each.type, each.tags)]

    def decode_events(self, rows: Sequence[Row]) -> list[Any]:
        """The same without their envelopes."""
        return self._codec.decode_events(rows) if self._left is None else [each.event for each in self.decode(rows)]
