"""Appends under a condition over tags, to a log in which every event has three."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from benchmarks.domain import Subscribed, new_subscriptions, subscriptions, tags_of
from benchmarks.harness import Benchmark, Contest, Contestant, Effort
from benchmarks.peers import PeerConditions
from benchmarks.place import Place, seeded_log, store_in
from benchmarks.raw import Guarded, RawLog, new_row
from eventfold import AppendCondition, EventStore, Query
from eventstore import NO_STREAM

WRITERS = 8
LATEST = 1 << 62
"""After every event that there is: nothing is known of the log before the first append."""

PARTS = itertools.count()
"""Contestants of one run share logs, so each has its own part of the subscriptions that are new."""

Attempt = Callable[[str, Subscribed, int], int]
"""Appends a subscription under a condition after a position; returns the position it got."""


def tagged_log(place: Place, count: int) -> str:
    """A log with three tags an event, filled once for a whole run."""
    return seeded_log(place, f"subscriptions {count}", lambda: subscriptions(count))


def ours(store: EventStore, *, together: bool) -> Attempt:
    def attempt(stream: str, event: Subscribed, after: int) -> int:
        student, course, _ = tags_of(event)
        if together:
            query = Query.of(Subscribed, tags=[course, student])
        else:
            query = Query.of(Subscribed, tags=[course]) | Query.of(Subscribed, tags=[student])
        return store.append(stream, [event], expected=NO_STREAM, condition=AppendCondition(query, after)).position

    return attempt


def by_hand(raw: RawLog, *, together: bool) -> Attempt:
    def attempt(stream: str, event: Subscribed, after: int) -> int:
        tags = tags_of(event)
        return raw.append_guarded(Guarded(new_row(stream, 1, event), tags, (tags[0], tags[1]), together, after))

    return attempt


def peers(peer: PeerConditions, *, together: bool) -> Attempt:
    def attempt(_stream: str, event: Subscribed, after: int) -> int:
        student, course, term = tags_of(event)
        guards = [[course, student]] if together else [[course], [student]]
        return peer.append(event, [student, course, term], guards, after)

    return attempt


def one_by_one(attempt: Attempt, known: int, *, together: bool) -> Contestant:
    """One writer. Where a condition looks for either tag, it looks after the last append, as a decision would."""
    left = new_subscriptions(known, next(PARTS))
    position = 0 if together else LATEST

    def run(count: int) -> int:
        nonlocal position
        for stream, event in itertools.islice(left, count):
            found = attempt(stream, event, position)
            position = 0 if together else found
        return count

    return Contestant(run)


def by_writers(attempts: list[Attempt], known: int) -> Contestant:
    """Eight writers, each with its part of the work."""
    left = new_subscriptions(known, next(PARTS))

    def writer(attempt: Attempt, part: list[tuple[str, Subscribed]]) -> None:
        for stream, event in part:
            attempt(stream, event, 0)

    def run(count: int) -> int:
        each = -(-count // WRITERS)
        parts = [list(itertools.islice(left, each)) for _ in range(WRITERS)]
        threads = [threading.Thread(target=writer, args=pair) for pair in zip(attempts, parts, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return each * WRITERS

    return Contestant(run)


def seeded_peer(place: Place, count: int) -> dict[str, str]:
    """The settings of the peer's log, filled once for a whole run."""
    settings = place.peer_settings()
    with closing(PeerConditions(settings)) as peer:
        peer.seed((event, list(tags_of(event))) for _, _, event in subscriptions(count))
    return settings


@contextmanager
def logs(
    place: Place, effort: Effort, writers: int
) -> Iterator[tuple[EventStore, list[RawLog], PeerConditions | None]]:
    """Ours, the floor's connections, and the peer where it has append conditions, over three equal logs."""
    known = effort.tagged_events
    seeded = tagged_log(place, known)
    with ExitStack() as stack:
        store = stack.enter_context(store_in(place.cached("conditions, ours", lambda: place.copy(seeded))))
        url = place.cached("conditions, floor", lambda: place.copy(seeded))
        raws = [stack.enter_context(closing(place.raw(url)))]
        raws[0].make_guarded()
        while len(raws) < writers:  # on SQLite, which has one writer, all share one connection in turn
            raws.append(raws[0] if place.kind == "sqlite" else stack.enter_context(closing(place.raw(url))))
        peer = None
        if place.kind == "postgresql":
            settings = place.cached("conditions, peer", lambda: seeded_peer(place, known // 4))
            peer = stack.enter_context(closing(PeerConditions(settings)))
        yield store, raws, peer


@contextmanager
def single(place: Place, effort: Effort, *, together: bool) -> Iterator[Contest]:
    known = effort.tagged_events
    with logs(place, effort, 1) as (store, raws, peer):
        yield Contest(
            one_by_one(ours(store, together=together), known, together=together),
            one_by_one(by_hand(raws[0], together=together), known, together=together),
            None if peer is None else one_by_one(peers(peer, together=together), known // 4, together=together),
        )


@contextmanager
def pair(place: Place, effort: Effort) -> Iterator[Contest]:
    with single(place, effort, together=True) as contest:
        yield contest


@contextmanager
def since(place: Place, effort: Effort) -> Iterator[Contest]:
    with single(place, effort, together=False) as contest:
        yield contest


@contextmanager
def writers(place: Place, effort: Effort) -> Iterator[Contest]:
    known = effort.tagged_events
    with logs(place, effort, WRITERS) as (store, raws, peer):
        yield Contest(
            by_writers([ours(store, together=True)] * WRITERS, known),
            by_writers([by_hand(raw, together=True) for raw in raws], known),
            None if peer is None else by_writers([peers(peer, together=True)] * WRITERS, known // 4),
        )


OWED = {"sqlite": 0.80, "postgresql": 0.80}
BENCHMARKS = [
    Benchmark("dcb-pair", "conditional append (DCB): no event with both of two tags", "appends/s", pair, OWED),
    Benchmark("dcb-since", "conditional append (DCB): no new event with either tag", "appends/s", since, OWED),
    Benchmark("dcb-8-writers", "conditional append (DCB), 8 writers", "appends/s", writers, OWED),
]
