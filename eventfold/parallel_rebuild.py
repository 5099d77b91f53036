"""A rebuild by several processes, each of which builds some of the partitions."""

from collections.abc import Callable, Mapping

import msgspec

from eventfold.children import Child, await_all
from eventstore import EventfoldError, EventStore
from projections.partition_build import Limits
from projections.rebuild import Progress, begin, finish
from projections.target import Generation
from projections.track import Track


class Report(msgspec.Struct, frozen=True):
    """A line that a building process writes.

    Attributes:
        progress: how far it is.
        error: why it has ended, if it has failed.
    """

    progress: Progress | None = None
    error: str | None = None


class Share:
    """What one of the processes does, over all its restarts."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.error: str | None = None
        self._on_progress = on_progress
        self._before = self._last = 0

    @property
    def events(self) -> int:
        """How many events it has folded."""
        return self._before + self._last

    def hear(self, line: bytes) -> None:
        """Takes a line of the process."""
        report = msgspec.json.decode(line, type=Report)
        self.error = report.error
        if report.progress is not None:
            if report.progress.events < self._last:  # it was killed, and began to count anew
                self._before += self._last
            self._last = report.progress.events
            self._on_progress(msgspec.structs.replace(report.progress, events=self.events))


def rebuild_in_processes(
    store: EventStore,
    track: Track,
    processes: int,
    limits: Limits,
    *,
    environment: Mapping[str, str],
    on_progress: Callable[[int, Progress], None] = lambda _n, _progress: None,
) -> int:
    """Rebuilds by so many processes, and swaps when all have caught up.

    A process that is killed is started again and goes on from its last write; so does a rebuild that is run again.

    Args:
        store: the log.
        track: the projection and its target.
        processes: how many; no more are used than an interrupted rebuild has left partitions to build.
        limits: for each of the processes.
        environment: how they find the application and the database.
        on_progress: called, from threads, with the number of the process and how far it is.

    Returns:
        How many events were folded.

    Raises:
        DefinitionError: the target cannot be divided.
        EventfoldError: a process has failed; why is in the message.
        KeyboardInterrupt: it was interrupted, and all of the processes have written what they had.
    """
    generation = begin(track, processes)
    partitions = len(generation.info.checkpoints)
    numbers = range(min(processes, partitions))
    shares = [Share(lambda progress, n=number: on_progress(n, progress)) for number in numbers]  # type: ignore[misc]  # the default binds the number
    children = [
        Child(_arguments(track, generation, range(number, partitions, processes), limits), environment, share.hear)
        for number, share in zip(numbers, shares, strict=True)
    ]
    await_all(children)
    for child, share in zip(children, shares, strict=True):
        if child.code:
            raise EventfoldError(share.error or f"process {child.pid} of the rebuild ended with code {child.code}")
    return sum(each.events for each in shares) + finish(store, track, generation, limits)


def _arguments(track: Track, generation: Generation, partitions: range, limits: Limits) -> list[str]:
    rate = [] if limits.max_rate is None else ["--max-rate", str(limits.max_rate)]
    return [
        *("projections", "build", track.projection.name, track.name, str(generation.number)),
        *("--partitions", ",".join(map(str, partitions)), "--max-memory", str(limits.max_memory), *rate),
    ]
