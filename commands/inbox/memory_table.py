"""An inbox in this process's memory, beside a log in memory."""

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace
from sqlalchemy import Connection

from commands.inbox.arrival import Arrival, Identity
from commands.inbox.table import Kept, Lane, LaneStatus, Mark


class MemoryInbox:
    """See `commands.inbox.table.InboxTable`. Consumers are done, with what they decide stored, before this is written to."""

    shares = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._handled: dict[tuple[str, Identity], int] = {}
        self._marks: dict[Lane, tuple[Mark, int | None]] = {}
        self._kept: dict[int, Kept] = {}
        self._last = 0
        self._owners: dict[Lane, tuple[str, float]] = {}
        self._readers: dict[tuple[str, str, str], float] = {}

    @contextmanager
    def transaction(self) -> Iterator[Connection | None]:
        """One at a time."""
        with self._lock:
            yield None

    def check(self, connection: Connection | None) -> None:
        """There is nothing to break."""

    def lock(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands."""
        return self._marks.setdefault(lane, (Mark(), None))[0]

    def share(self, connection: Connection | None, lane: Lane) -> Mark:
        """Where a lane stands; nobody else is at it."""
        return self.lock(connection, lane)

    def claim(self, lane: Lane, moves: int) -> bool:
        """Raises the number of a lane's moves."""
        with self._lock:
            mark, moved_us = self._marks.get(lane, (Mark(), None))
            if mark.moves != moves:
                return False
            self._marks[lane] = replace(mark, moves=moves + 1), moved_us
            return True

    def handled(self, connection: Connection | None, group: str, identities: Sequence[Identity]) -> set[Identity]:
        """Those of some messages that were handled or set aside before."""
        return {each for each in identities if (group, each) in self._handled}

    def keys_aside(self, connection: Connection | None, lane: Lane, keys: Collection[str]) -> set[str]:
        """Those of some keys that have messages aside."""
        return {
            each.key for each in self._kept.values() if each.lane == lane and each.key is not None and each.key in keys
        }

    def settle(
        self,
        connection: Connection | None,
        lane: Lane,
        identities: Sequence[Identity],
        aside: Sequence[Arrival],
        now_us: int,
    ) -> bool:
        """Notes that messages were handled or set aside, and keeps the latter."""
        self._handled.update({(lane.group, each): now_us for each in identities})
        for each in aside:
            self._last += 1
            self._kept[self._last] = Kept(
                self._last,
                lane,
                each.delivery,
                each.key,
                each.identity,
                each.attempts,
                each.error,
                each.next_try_us,
                now_us,
            )
        return True

    def move(self, connection: Connection | None, lane: Lane, mark: Mark, now_us: int) -> None:
        """Moves a lane."""
        self._marks[lane] = mark, now_us

    def head(self, connection: Connection | None, lane: Lane, key: str | None, number: int) -> Kept | None:
        """The first message aside under a key; without a key, that with a number."""
        if key is None:
            return self.find(number)
        return next((each for each in list(self._kept.values()) if each.lane == lane and each.key == key), None)

    def done(self, connection: Connection | None, kept: Kept, now_us: int) -> None:
        """Forgets a message that is set aside, and has what follows it under its key tried now."""
        self._kept.pop(kept.number, None)
        if kept.identity is not None:
            self._handled[kept.lane.group, kept.identity] = now_us
        following = None if kept.key is None else self.head(connection, kept.lane, kept.key, 0)
        if following is not None and following.attempts == 0:
            self._kept[following.number] = replace(following, next_try_us=now_us)

    def failed(self, connection: Connection | None, kept: Kept) -> None:
        """Keeps the attempts, the error and the next try of a message that is set aside."""
        if kept.number in self._kept:
            self._kept[kept.number] = kept

    def due(self, lane: Lane, now_us: int) -> list[Kept]:
        """The messages that it is time to try again."""
        return [each for each in self._waiting(lane) if (each.next_try_us or 0) <= now_us]

    def next_try(self, lane: Lane) -> int | None:
        """When the next one is to be tried again."""
        return min((each.next_try_us or 0 for each in self._waiting(lane)), default=None)

    def _waiting(self, lane: Lane) -> list[Kept]:
        with self._lock:
            return [each for each in self._kept.values() if each.lane == lane and each.next_try_us is not None]

    def heads(self, limit: int, after: int) -> list[tuple[Kept, int]]:
        """The messages aside that are the first ones of their keys, each with how many follow it, by number."""
        with self._lock:
            behind = {number: len(self.followers(each)) for number, each in self._kept.items()}
            first = [each for each in self._kept.values() if self.head(None, each.lane, each.key, each.number) == each]
        return [(each, behind[each.number]) for each in first if each.number > after][:limit]

    def find(self, number: int) -> Kept | None:
        """A message that is set aside."""
        return self._kept.get(number)

    def followers(self, kept: Kept) -> list[Kept]:
        """What follows a message under its key."""
        if kept.key is None:
            return []
        with self._lock:
            same = [each for each in self._kept.values() if each.lane == kept.lane and each.key == kept.key]
        return [each for each in same if each.number > kept.number]

    def prune(self, before_us: int, limit: int) -> int:
        """Forgets that messages were handled before an instant."""
        with self._lock:
            gone = [key for key, handled_us in self._handled.items() if handled_us < before_us][:limit]
            for key in gone:
                del self._handled[key]
        return len(gone)

    def status(self) -> list[LaneStatus]:
        """How each lane does."""
        with self._lock:
            lanes = sorted(self._marks.items(), key=lambda each: (each[0].group, each[0].channel, each[0].partition))
            return [self._status(lane, mark, moved_us) for lane, (mark, moved_us) in lanes]

    def _status(self, lane: Lane, mark: Mark, moved_us: int | None) -> LaneStatus:
        aside = [each for each in self._kept.values() if each.lane == lane]
        parked = sum(1 for each in aside if each.attempts and each.next_try_us is None)
        return LaneStatus(lane, mark.position, moved_us, self._owner(lane), len(aside), parked)

    def _owner(self, lane: Lane) -> str | None:
        name, until = self._owners.get(lane, (None, 0.0))
        return name if until > time.monotonic() else None

    def beat(self, group: str, channel: str, name: str, seconds: float) -> list[str]:
        """Counts a reader as alive for so long, and names all that are."""
        with self._lock:
            now = time.monotonic()
            self._readers[group, channel, name] = now + seconds
            return sorted(
                each
                for (one, other, each), until in self._readers.items()
                if (one, other) == (group, channel) and until > now
            )

    def leave(self, group: str, channel: str, name: str) -> None:
        """Counts a reader no longer, and gives its lanes free."""
        with self._lock:
            self._readers.pop((group, channel, name), None)
            self.release(group, channel, [each.partition for each in self._owners], name)

    def owners(self, group: str, channel: str) -> dict[int, str]:
        """Who has which lane of a channel."""
        with self._lock:
            found = {
                lane.partition: self._owner(lane)
                for lane in self._owners
                if (lane.group, lane.channel) == (group, channel)
            }
            return {number: owner for number, owner in found.items() if owner is not None}

    def lease(self, group: str, channel: str, partitions: Sequence[int], name: str, seconds: float) -> None:
        """Has a reader own lanes for so long that nobody else owns."""
        with self._lock:
            for lane in (Lane(group, channel, number) for number in partitions):
                if self._owner(lane) in {None, name}:
                    self._owners[lane] = name, time.monotonic() + seconds

    def release(self, group: str, channel: str, partitions: Sequence[int], name: str) -> None:
        """Gives lanes free that a reader owns."""
        with self._lock:
            for lane in (Lane(group, channel, number) for number in partitions):
                if self._owner(lane) == name:
                    del self._owners[lane]
