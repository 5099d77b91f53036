"""Carries out parked events of a reaction after all, when what was wrong is mended. Workers need not be stopped."""

from collections.abc import Sequence
from typing import Any

from eventstore import EventfoldError, EventStore, NotFound, Recorded, StoreBusy, StoreUnavailable
from eventstore.codec import codec_of
from eventstore.log_reader import LogReader
from projections.errors import ReactionFailed
from projections.mending import Retried, parked_of, place_of, text_of
from projections.parked import Mended, Parked
from projections.reaction import Reaction
from projections.reactor import ENDINGS, Call
from projections.track import Track
from projections.wanted import wanted_by


def retry_reaction(
    store: EventStore, reaction: Reaction, track: Track, call: Call, keys: Sequence[Any] = ()
) -> list[Retried]:
    """Carries out the parked events of some keys in order, as far as that goes.

    Args:
        store: the log.
        reaction: what is done.
        track: where it stands.
        call: calls its function.
        keys: whose events; by default all that wait, those without a key, too.

    Raises:
        NotFound: nothing is parked for one of the keys.
    """
    parked = [each.key for each in parked_of(track)]
    for key in keys:
        if key not in parked:
            raise NotFound(f"reaction {reaction.name!r}: no event of key {key!r} is parked")
    retry = _Retry(store, reaction, track, call)
    return [retry.run(key) for key in (keys or parked)]


class _Retry:
    def __init__(self, store: EventStore, reaction: Reaction, track: Track, call: Call) -> None:
        self._store, self._reaction, self._track, self._call = store, reaction, track, call
        self._generation = track.generation
        self._reader = LogReader(store.backend, codec_of(reaction.events), wanted_by([reaction.reading]))

    def run(self, key: str | None) -> Retried:
        """Until nothing waits, or an event fails again."""
        done, text = 0, text_of(key)
        while parked := self._generation.parked_events(text):
            first = parked[0]
            reason = self._carry_out(key, first.position)
            if reason is not None:
                self._settle(key, first, Parked(text, first.position, reason, first.attempts + 1))
                return Retried(self._reaction.name, self._track.name, key, done, len(parked), reason)
            self._settle(key, first, None)
            done += 1
        return Retried(self._reaction.name, self._track.name, key, done, 0, None)

    def _carry_out(self, key: str | None, position: int) -> str | None:
        """Does what an event asks for; what is wrong, if it fails."""
        try:
            for recorded in self._reader.decode(self._reader.rows(position - 1, position, 1)):
                if self._wanted(key, recorded):
                    self._call(self._reaction, recorded)
        except (StoreUnavailable, StoreBusy):
            raise
        except ReactionFailed as failure:
            return failure.reason
        except (Exception, *ENDINGS) as error:  # noqa: BLE001 - it is told, and stored
            return str(error) if isinstance(error, EventfoldError) else f"{type(error).__name__}: {error}"
        return None

    def _wanted(self, key: str | None, recorded: Recorded[Any]) -> bool:
        """Whether `key=` still says that the event is of this key; of those that had none, whether it now has one."""
        found = self._reaction.key_of(recorded)
        return found is not None and key in {None, found}

    def _settle(self, key: str | None, at: Parked, still: Parked | None) -> None:
        """Stores what came of it, unless somebody else has done so."""
        while any(each.position == at.position for each in self._generation.parked_events(at.key)):
            partition, epoch = place_of(self._generation.info, key)
            gone = [] if still is not None else [at.position]
            if self._generation.mend(Mended(at.key, partition, epoch, gone, events=len(gone), still=still)):
                self._store.announce()
                return
