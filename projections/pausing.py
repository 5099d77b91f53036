"""Pausing, resuming and resetting a projection."""

from collections.abc import Iterable

from eventstore import EventStore
from projections.rebuild import drop_older
from projections.track import Track


def pause(store: EventStore, tracks: Iterable[Track]) -> None:
    """Lets nobody keep a projection until it is resumed: no worker, no query, in whatever process. It outlives them.

    A batch in hand is refused by the database. Rows can still be read, rebuilt and mended.
    """
    for track in tracks:
        track.target.pause(paused=True)
    store.announce()


def resume(store: EventStore, tracks: Iterable[Track]) -> None:
    """Lets a projection go on from where it stands."""
    for track in tracks:
        track.target.pause(paused=False)
    store.announce()


def reset(store: EventStore, tracks: Iterable[Track]) -> None:
    """Puts empty rows in the place of a projection's, which workers and queries then fold anew from the beginning of the log.

    What is parked is folded again, and what was discarded as well. A rebuild that is under way is given up. Until all is folded,
    readers see what there is; `rebuild` spares them that.
    """
    for track in tracks:
        target = track.target
        for each in target.generations():
            if each.state == "building":
                target.drop(each.number)
        empty = target.create(track.projection.fingerprint, live=False, partitions=track.partitions)
        target.swap(empty, partitions=track.partitions, behind=True)
        drop_older(track)
    store.announce()
