"""What relays need of an outbox: messages to hand over, nobody else's, and a place to say what became of them."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from commands.errors import BrokerUnavailable, MessageRefused
from commands.failure import plain
from commands.outbox.policy import HOLD, RelayPolicy
from commands.outbox.row import OutboxRow

Key: TypeAlias = tuple[str, str]
"""A channel and a key: messages of one are handed over in their order."""

START: Key = ("", "")

Ends: TypeAlias = Mapping[Key, tuple[int, int]]
"""Of each key of which messages are in hand, the numbers of the first and of the last one."""

NONE: Ends = {}

FULL_US = 5_000_000
"""After so long a message is tried again whose channel takes nothing for now."""


def key_of(row: OutboxRow) -> Key:
    """The channel and key of a message."""
    return row.event.channel, row.event.key


def ends_of(rows: Sequence[OutboxRow]) -> Ends:
    """The first and the last of each key among messages in order."""
    ends: dict[Key, tuple[int, int]] = {}
    for each in rows:
        key = key_of(each)
        ends[key] = ends[key][0] if key in ends else each.seq, each.seq
    return ends


class Failed(msgspec.Struct, frozen=True):
    """A message that was handed over in vain.

    Attributes:
        row: the message.
        error: why.
        next_try_us: not before that instant is it handed over again; None parks it.
        counts: whether it is one of the tries after which it is parked.
    """

    row: OutboxRow
    error: str
    next_try_us: int | None
    counts: bool = True

    @property
    def attempts(self) -> int:
        """How often the message was handed over in vain by now."""
        return self.row.attempts + self.counts


class Verdict(msgspec.Struct, frozen=True):
    """What became of messages that were handed to a broker; those in neither list are as they were.

    Attributes:
        sent: those that are confirmed.
        failed: those that are not, the first one of each key.
        hold: whether what follows a parked message is parked, too.
        unavailable: why the broker takes none for now, if it does not.
    """

    sent: list[OutboxRow]
    failed: list[Failed]
    hold: bool
    unavailable: str | None = None


class Taken(Protocol):
    """Messages that one relay has for itself, until it has said what became of them or has let them go.

    Attributes:
        rows: the messages, those of one key in order, beginning with the first that was not sent.
        after: where to look next; `START` once the last key was looked at.
        retry_us: when the first of those that wait for their next try is due; None where none was seen.
    """

    rows: list[OutboxRow]
    after: Key
    retry_us: int | None

    def settle(self, verdict: Verdict, now_us: int) -> bool:
        """Says what became of them; false where another relay has taken them meanwhile, and will say so itself."""

    def drop(self) -> None:
        """Lets them go, as they were; nothing where they are settled or let go already."""


class RelayTable(Protocol):
    """An outbox as relays see it. Any number of them may be at work."""

    def take(self, owner: str, after: Key, limit: int, now_us: int, *, hold: bool, ahead: Ends = NONE) -> Taken:
        """Messages to hand over, of the keys that come after one.

        Of each key it begins with the first message that was not sent, and takes nothing where that waits for its next try, or is
        another relay's, or where a message of the key is parked (unless `hold` is false).

        Args:
            owner: who takes.
            after: the key after which to look.
            limit: at most so many messages.
            now_us: the instant.
            hold: whether what follows a parked message is parked, too.
            ahead: what the owner has in hand: of a key of which it has some, it takes those behind them.
        """

    def release(self, owner: str) -> None:
        """Lets others have their turn at once."""

    def told(self, error: str | None, now_us: int) -> None:
        """Keeps for the status why the broker takes no messages; None once it takes them again."""


def judge(rows: Sequence[OutboxRow], errors: Sequence[Exception | None], policy: RelayPolicy, now_us: int) -> Verdict:
    """What became of messages, from what the broker says of each.

    Behind one that fails none of its key counts: they are handed over again, in order.
    """
    sent: list[OutboxRow] = []
    failed: list[Failed] = []
    unavailable = None
    held: set[Key] = set()
    for row, error in zip(rows, errors, strict=True):
        key = key_of(row)
        if key in held:
            continue
        if error is None:
            sent.append(row)
            continue
        held.add(key)
        if isinstance(error, BrokerUnavailable) and error.channel is None:
            unavailable = unavailable or plain(str(error))
        elif isinstance(error, BrokerUnavailable):
            failed.append(Failed(row, plain(str(error)), now_us + FULL_US, counts=False))
        else:
            failed.append(_failed(row, error, policy, now_us))
    return Verdict(sent, failed, policy.on_parked == HOLD, unavailable)


def may_follow(ahead: Sequence[OutboxRow], rows: Sequence[OutboxRow], verdict: Verdict) -> list[OutboxRow]:
    """Of messages that were taken behind others, those that may be handed over, now that is known what became of the others."""
    if verdict.unavailable is not None:
        return []
    sent = {each.seq for each in verdict.sent}
    stuck = {key_of(each) for each in rows if each.seq not in sent}
    return [each for each in ahead if key_of(each) not in stuck]


def _failed(row: OutboxRow, error: Exception, policy: RelayPolicy, now_us: int) -> Failed:
    attempt = row.attempts + 1
    final = isinstance(error, MessageRefused) or attempt >= policy.retry.attempts
    return Failed(row, plain(str(error)), None if final else now_us + int(policy.retry.pause(attempt) * 1e6))
