"""One projection in one target: which generation is live, and where each of its partitions stands."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from eventstore import DefinitionError, EventStore
from projections.errors import EventParked, NeedsRebuild
from projections.lane import Lane
from projections.other_database import OtherDatabase
from projections.parked import POISON, Poison
from projections.partition import Partition
from projections.projection import BoundProjection, Projection
from projections.target import BoundTarget, Generation, GenerationInfo, Target, live_of
from projections.target_name import names_of

LOOK_SECONDS = 1.0
"""How often whoever only reads looks whether the rows are still those of this version of the code."""


class Track:
    """What the engine remembers between two batches. The truth is in the target; `refresh` looks it up.

    Args:
        projection: the fold.
        name: the target's name, unique among those of the projection.
        target: where the rows are.
        partitions: of the generations that are made from now on; the live one may have another number.
        poison: what is done about an event that a row cannot take.
        declared: the target as the user declares it, where there is one.
        inline: whether appends fold their events themselves.

    Attributes:
        lanes: one for each partition of the live generation.
        paused: whether nobody may move them, as last seen.
    """

    def __init__(
        self,
        projection: Projection[Any],
        name: str,
        target: BoundTarget,
        partitions: int = 1,
        poison: Poison = POISON,
        declared: Target | None = None,
        *,
        inline: bool = False,
    ) -> None:
        self.projection = projection
        self.name = name
        self.target = target
        self.partitions = partitions
        self.poison = poison
        self.declared = declared
        self.inline = inline
        self.paused = False
        self.lanes = self._lanes(partitions)
        self._generation: Generation | None = None
        self._looked_at = 0.0

    @property
    def remote(self) -> bool:
        """Whether the rows are on a server of their own, which may be slow or away while the log is not."""
        return bool(getattr(self.target, "remote", False))

    @property
    def elsewhere(self) -> OtherDatabase | None:
        """The database of the rows and their checkpoints, where it is not the log's."""
        home = getattr(self.target, "database", None)
        return home if isinstance(home, OtherDatabase) else None

    @property
    def generation(self) -> Generation:
        """The live generation, made where there is none yet."""
        if self._generation is None:
            self.refresh()
        assert self._generation is not None  # noqa: S101 - refresh has just made it
        return self._generation

    @property
    def position(self) -> int:
        """Everything up to here is in the rows, as last seen."""
        return min([each.position for each in self.lanes])

    @property
    def failure(self) -> Exception | None:
        """What the first of its lanes that stands still does so for."""
        return next((each.failure for each in self.lanes if each.failure is not None), None)

    @property
    def gave_up(self) -> EventParked | None:
        """The last event that one of its lanes has parked."""
        return next((each.gave_up for each in self.lanes if each.gave_up is not None), None)

    def refresh(self) -> None:
        """Looks up which generation is live and where it stands.

        Raises:
            NeedsRebuild: its rows were made by another version of the projection or model.
        """
        info = self._live()
        self._require_own(info)
        if len(info.checkpoints) != len(self.lanes):
            self.lanes = self._lanes(len(info.checkpoints))
        self._generation = generation = self.target.generation(info.number)
        for lane, checkpoint in zip(self.lanes, info.checkpoints, strict=True):
            lane.found(checkpoint, generation)
        self.paused = info.paused

    def look(self, *, anew: bool = False) -> None:
        """Makes sure, for whoever reads, that there are rows of this version of the code. Looks again after a second, or `anew`.

        Raises:
            NeedsRebuild: another version of the projection or model has made them, perhaps since they were read last.
        """
        if self._generation is None:
            self.refresh()
        elif anew or time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._require_own(self._live())

    def _require_own(self, info: GenerationInfo) -> None:
        if info.fingerprint != self.projection.fingerprint:
            raise NeedsRebuild(
                f"projection {self.projection.name!r}: the rows of target {self.name!r} were made by another version of the "
                f"projection or its model; run `eventfold projections rebuild {self.projection.name}`"
            )
        self._looked_at = time.monotonic()

    def retry_now(self) -> None:
        """Lets a failed track be tried without waiting any longer."""
        for lane in self.lanes:
            lane.retry_now()

    def failed(self, failure: Exception) -> None:
        """None of its lanes can go on; they are tried again after a growing pause."""
        for lane in self.lanes:
            lane.failed(failure)

    def raise_failure(self) -> None:
        """Raises what it stands still for.

        Raises:
            ProjectionFailed: the fold, or the target, refused an event.
            EventfoldError: the rows, or the log, cannot be used.
        """
        for lane in self.lanes:
            lane.raise_failure()

    def _live(self) -> GenerationInfo:
        found = live_of(self.target.generations())
        if found is not None:
            return found
        return self.target.create(self.projection.fingerprint, live=True, partitions=self.partitions).info

    def _lanes(self, partitions: int) -> list[Lane]:
        return [Lane(self, Partition(number, partitions)) for number in range(partitions)]


def tracks_of(store: EventStore, bindings: Iterable[BoundProjection[Any]]) -> list[Track]:
    """A track for each projection in each of its targets.

    Raises:
        DefinitionError: two projections have the same name, or keep their rows in the same place.
    """
    declared = [(each, target) for each in bindings for target in each.targets]
    _check_names(each.projection for each, _ in declared)
    tracks = [
        Track(
            each.projection,
            name,
            target.bind(store.backend, each.projection.name, each.projection.model),
            each.partitions,
            each.poison,
            target,
            inline=each.consistency == "inline",
        )
        for (each, target), name in zip(declared, _names(declared), strict=True)
    ]
    _check_places(tracks)
    _check_inline(store, tracks)
    return tracks


def _names(declared: Sequence[tuple[BoundProjection[Any], Target]]) -> list[str]:
    """A name for each target, unique among those of its projection."""
    targets: dict[str, list[Target]] = {}
    for each, target in declared:
        targets.setdefault(each.projection.name, []).append(target)
    names = {name: iter(names_of(name, mine)) for name, mine in targets.items()}
    return [next(names[each.projection.name]) for each, _ in declared]


def _check_names(projections: Iterable[Projection[Any]]) -> None:
    found: dict[str, Projection[Any]] = {}
    for projection in (stage for each in projections for stage in each.stages):
        if found.setdefault(projection.name, projection) is not projection:
            raise DefinitionError(f"two projections are called {projection.name!r}; give each its own name")


def _check_places(tracks: Iterable[Track]) -> None:
    """No two projections may write one table, and no projection may write it twice."""
    owners: dict[Any, Track] = {}
    for track in tracks:
        table = getattr(track.target, "table", None)
        other = track if table is None else owners.setdefault((id(track.elsewhere), table.fullname), track)
        if other is not track:
            raise DefinitionError(
                f"projections {other.projection.name!r} and {track.projection.name!r} both keep their rows in {track.name!r}; "
                "give each a target of its own name"
            )


def ahead_of_log(track: Track, position: int, end: int) -> str:
    """What is said of rows in another database that contain more than the log."""
    where = "" if track.elsewhere is None else f" in {track.elsewhere.description}"
    return (
        f"projection {track.projection.name!r}: the rows of target {track.name!r}{where} stand at position {position}, and "
        f"the log ends at {end}: they are of another log, or this one was restored. Name another database, or fold them anew "
        f"with `eventfold projections reset {track.projection.name}`"
    )


def _check_inline(store: EventStore, tracks: Iterable[Track]) -> None:
    """What is kept inline shares the log's database, be it a SQL one or the memory of the process."""
    for track in tracks:
        if track.inline and getattr(track.target, "database", None) is not store.backend.sql:
            raise DefinitionError(
                f"projection {track.projection.name!r}: consistency: {track.name!r} cannot be kept inline, because its rows are "
                f"not in the log's own database, {store.backend.description}; leave out consistency=, or choose another target"
            )
