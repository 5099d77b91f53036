"""Goes back to the rows before the last rebuild, and drops rows that nobody will go back to."""

from collections.abc import Callable

from eventstore import EventStore
from projections.errors import RollbackRefused
from projections.rebuild import Progress, rebuild
from projections.track import Track


def rollback(store: EventStore, track: Track, *, on_progress: Callable[[Progress], None] = lambda _: None) -> int:
    """Makes the last retired generation the live one again.

    It stands where it stood when it was retired. So it catches up with the log beside the live one first, as a rebuild does, and is
    swapped in when it has: no reader sees an older row than before. Interrupted, `rebuild` goes on with it.

    Args:
        store: the log.
        track: the projection and its target.
        on_progress: called after every batch.

    Returns:
        How many events were folded to catch up.

    Raises:
        RollbackRefused: there is no retired generation, or another version of the code has made it.
    """
    retired = [each for each in track.target.generations() if each.state == "retired"]
    name = track.projection.name
    if not retired:
        raise RollbackRefused(name, track.name, "there is no former generation; it was pruned, or there never was one")
    if retired[-1].fingerprint != track.projection.fingerprint:
        raise RollbackRefused(
            name,
            track.name,
            f"generation {retired[-1].number} was made by another version of the projection or its model; roll the code back "
            "first, and then the rows",
        )
    if retired[-1].parked:
        raise RollbackRefused(
            name,
            track.name,
            f"events are parked in generation {retired[-1].number}, which could only be retried while it was live; rebuild instead",
        )
    if not track.target.reopen(retired[-1].number):
        raise RollbackRefused(
            name, track.name, "another process has just pruned it, or gone back to it; look at the status"
        )
    return rebuild(store, track, on_progress=on_progress)


def prune(track: Track) -> list[int]:
    """Drops the retired generations of a track, and returns their numbers. There is no way back after that."""
    numbers = [each.number for each in track.target.generations() if each.state == "retired"]
    for number in numbers:
        track.target.drop(number)
    return numbers
