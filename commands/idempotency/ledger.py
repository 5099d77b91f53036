"""The ledger of idempotency keys: each is written in the transaction of the append that it stands for."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import Connection

from commands.clock import now_us
from commands.errors import KeyTaken
from commands.idempotency.claim import Claim, Kept, Outcome
from commands.pruning import prune_all
from eventstore.backend import WriteRequest
from eventstore.companion import Insert, Stored

ALL = 2**62


class KeyTable(Protocol):
    """Where keys are kept, each at most once."""

    def find(self, scope: str, key: str, now_us: int) -> Kept | None:
        """What is kept under a key, and has not expired."""

    def insert(self, connection: Connection | None, rows: Sequence[Kept]) -> int:
        """Keeps keys that are new or have expired, in a transaction (in one of its own where none is given).

        One that another transaction is about to keep is waited for.

        Returns:
            How many were kept.
        """

    def insert_of(self, row: Kept) -> Insert | None:
        """The row to be inserted for a key that is new; None where `insert` has to be asked."""

    def remove(self, keys: Sequence[tuple[str, str]]) -> None:
        """Forgets keys, each named by its scope and itself."""

    def page(self, now_us: int, limit: int) -> list[Kept]:
        """Those that have not expired, the newest first."""

    def prune(self, now_us: int, limit: int) -> int:
        """Forgets up to so many that have expired; returns how many they were."""


class Ledger:
    """A companion of the log that keeps the keys of what is appended. See `eventstore.companion.Companion`."""

    def __init__(self, table: KeyTable) -> None:
        self.table = table

    def find(self, claim: Claim) -> Outcome | None:
        """What the first command under this key led to; None where there was none.

        Raises:
            IdempotencyConflict: that was another command.
        """
        kept = self.table.find(claim.scope, claim.key, now_us())
        return None if kept is None else kept.check(claim)

    def keep(self, claim: Claim, outcome: Outcome, connection: Connection | None = None) -> bool:
        """Keeps the outcome of a command that has stored no events; False where the key is taken."""
        return self.table.insert(connection, [_kept(claim, outcome)]) == 1

    def look(self, scope: str, key: str) -> Kept | None:
        """What is kept under a key; None where nothing is."""
        return self.table.find(scope, key, now_us())

    def page(self, limit: int | None) -> list[Kept]:
        """The keys that have not expired, the newest first; at most so many, or all."""
        return self.table.page(now_us(), limit if limit is not None else ALL)

    def prune(self) -> int:
        """Forgets the keys that have expired, and returns how many they were."""
        return prune_all(self.table.prune, now_us())

    def concerns(self, request: WriteRequest) -> bool:
        """Whether the append comes with a key."""
        return _claim_of(request) is not None

    def types(self, _requests: Sequence[WriteRequest]) -> Iterable[str]:
        """None: keys are kept in any order."""
        return ()

    def inserts(self, request: WriteRequest) -> Sequence[Insert] | None:
        """The key, as if it were new."""
        claim = _claim_of(request)
        if claim is None:
            return ()
        insert = self.table.insert_of(_kept(claim, _outcome(request)))
        return None if insert is None else (insert,)

    def write(self, connection: Connection | None, stored: Sequence[Stored]) -> None:
        """Keeps the keys.

        Raises:
            KeyTaken: one of them is taken already.
        """
        rows = [
            _kept(claim, _outcome(each.request)) for each in stored if (claim := _claim_of(each.request)) is not None
        ]
        if self.table.insert(connection, rows) != len(rows):
            raise KeyTaken

    def forget(self, stored: Sequence[Stored]) -> None:
        """Gives the keys back."""
        claims = [claim for each in stored if (claim := _claim_of(each.request)) is not None]
        self.table.remove([(each.scope, each.key) for each in claims])


def _claim_of(request: WriteRequest) -> Claim | None:
    return next((each for each in request.beside if isinstance(each, Claim)), None)


def _kept(claim: Claim, outcome: Outcome) -> Kept:
    now = now_us()
    return Kept(claim.scope, claim.key, claim.command, claim.fingerprint, outcome, now, now + claim.keep_us)


def _outcome(request: WriteRequest) -> Outcome:
    """The ids say it all: the log knows the rest, and they are known before the database has answered. The stream is for people."""
    ids = tuple([str(row[2]) for write in request.writes for row in write.rows])
    return Outcome(event_ids=ids, stream=request.writes[0].stream)
