"""Projections: pure folds from events to the rows of a read model."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args, overload

from eventstore import DefinitionError, Recorded
from projections.lookup import RowLookup
from projections.parked import POISON, Poison
from projections.partition import check_partitions, require_divisible
from projections.row_check import RowCheck
from projections.signature import Signature, read_signature
from projections.target import Target
from projections.target_name import names_of

R = TypeVar("R")
K = TypeVar("K")
KeyFunction: TypeAlias = Callable[[Recorded[Any]], Any]
Fold: TypeAlias = Callable[[R | None, Recorded[Any]], R | None]
Consistency: TypeAlias = Literal["async", "inline"]
KeyedFold: TypeAlias = Callable[[R | None, Recorded[Any], K], R | None]

KeyedReadingFold: TypeAlias = Callable[[R | None, Recorded[Any], K, RowLookup], R | None]


class Projection(Generic[R]):
    """A fold and what is known of it. Calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: unique within an application.
        version: raised by the user when the fold changes; the rows are then rebuilt.
        model: what a row looks like.
        events: the event classes it folds; others are never read.
        takes_key: whether the function has a third parameter, the key of the row.
        reads: the projections whose rows it looks up.
        stages: all projections that are folded for it, each after those that it reads; the last one is itself.
        check: of the rows that the function makes.
        category: only events of streams of this category.
        tags: only events with all of these tags.
        key: from a recorded event to the key of the row it touches, a list of keys, or None for no row.
    """

    def __init__(
        self,
        function: Callable[..., R | None],
        name: str,
        version: int,
        signature: Signature,
        key: KeyFunction | None,
        category: str | None,
        tags: tuple[str, ...],
        reads: tuple["Projection[Any]", ...] = (),
    ) -> None:
        self.function = function
        self.name = name
        self.version = version
        self.model = signature.model
        self.events = signature.events
        self.takes_key = signature.takes_key
        self.check = RowCheck(signature.model)
        self.key = key
        self.category = category
        self.tags = tags
        self.reads = reads
        self.stages: tuple[Projection[Any], ...] = (*dict.fromkeys([s for each in reads for s in each.stages]), self)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, row: R | None, recorded: Recorded[Any], *key: Any) -> R | None:
        """Calls the function itself, which takes the key of the row only where it has a parameter for it."""
        return self.function(row, recorded, *key)

    @property
    def fingerprint(self) -> str:
        """Changes with the projection's version, with the shape of its model, and with the fingerprints of what it reads."""
        read = "".join([f"\n{each.name} {each.fingerprint}" for each in self.reads])
        return hashlib.sha256(f"{self.version}:{self.model.shape}{read}".encode()).hexdigest()[:16]

    @property
    def events_read(self) -> tuple[type[Any], ...]:
        """The event classes that it folds, and those that what it reads folds."""
        return tuple(dict.fromkeys([cls for stage in self.stages for cls in stage.events]))

    def into(
        self, *targets: Target, partitions: int = 1, poison: Poison = POISON, consistency: Consistency = "async"
    ) -> "BoundProjection[R]":
        """The projection with the places its rows are kept in.

        Args:
            targets: one or several.
            partitions: into how many shares the keys are divided, so that as many workers can keep them side by side. A
                change of it holds from the next rebuild on.
            poison: what is done about an event that a live row cannot take; by default it is tried three times, and then parked.
            consistency: "inline" folds each event in the transaction of its own append, which is refused where the fold raises;
                "async" folds it afterwards. Targets of both kinds are named in an `into` for each kind.

        Raises:
            DefinitionError: no target is given, two cannot be told apart, or one cannot be divided or kept inline.
        """
        where = f"projection {self.name!r}"
        if not targets:
            raise DefinitionError(f"{where}: into() expects at least one target, as in SqlTable({self.name!r})")
        names_of(self.name, targets)
        if not isinstance(poison, Poison):
            raise DefinitionError(f"{where}: poison: expected a Poison, as in Poison(attempts=5), got {poison!r}")
        if check_partitions(where, partitions) > 1:
            for target in targets:
                require_divisible(where, target)
        if consistency not in get_args(Consistency):
            raise DefinitionError(f'{where}: consistency: expected "async" or "inline", got {consistency!r}')
        if self.reads:
            _require_composite(where, targets, partitions)
        if consistency == "inline":
            _require_inline(where, targets, partitions)
        return BoundProjection(self, targets, partitions, poison, consistency)

    def __repr__(self) -> str:
        return f"<projection {self.name} version {self.version}>"


class BoundProjection(Generic[R]):
    """A projection and its targets, how its keys are divided, what is done about poison, and when it is folded."""

    def __init__(
        self,
        projection: Projection[R],
        targets: Sequence[Target],
        partitions: int = 1,
        poison: Poison = POISON,
        consistency: Consistency = "async",
    ) -> None:
        self.projection = projection
        self.targets = tuple(targets)
        self.partitions = partitions
        self.poison = poison
        self.consistency = consistency


def _require_inline(where: str, targets: Sequence[Target], partitions: int) -> None:
    for target in targets:
        if not getattr(target, "joins_appends", False):
            raise DefinitionError(
                f"{where}: consistency: {type(target).__name__}({target.name!r}) cannot be kept inline, because its rows are not "
                "in the log's own database; name it in an into() of its own, without consistency="
            )
    if partitions > 1:
        raise DefinitionError(
            f"{where}: partitions: expected 1 where consistency is inline, got {partitions}; the appends fold, one after the other"
        )


def _require_composite(where: str, targets: Sequence[Target], partitions: int) -> None:
    for target in targets:
        if not getattr(target, "keeps_read", False):
            raise DefinitionError(
                f"{where}: {type(target).__name__}({target.name!r}) cannot keep what a projection with reads= looks "
                "up; use SqlTable, or MemoryTable"
            )
    check_undivided(where, partitions)


def check_undivided(where: str, partitions: int) -> None:
    """Makes sure that a composite is kept by one worker: it may look up any key, and its partitions stand at different positions.

    Raises:
        DefinitionError: it is to be divided.
    """
    if partitions > 1:
        raise DefinitionError(
            f"{where}: expected 1 partition and 1 process for a projection with reads=, which looks up rows of any key, got "
            f"{partitions}"
        )


class Define(Protocol):
    """Makes a fold a projection, be it of two parameters or of three."""

    @overload
    def __call__(self, function: Fold[R], /) -> Projection[R]: ...

    @overload
    def __call__(self, function: KeyedFold[R, K], /) -> Projection[R]: ...

    @overload
    def __call__(self, function: KeyedReadingFold[R, K], /) -> Projection[R]: ...


def check_reads(name: str, reads: Sequence[Any], *, takes_lookup: bool) -> None:
    """Makes sure that the stages of a composite have an order, and that its fold can look at them.

    Raises:
        DefinitionError: one of `reads` is not a projection, two of its stages have one name, or they form a circle; or the fold
            has no parameter for the lookup, or one for nothing.
    """
    where = f"projection {name!r}"
    if bool(reads) != takes_lookup:
        expected = "a last parameter `lookup: RowLookup` where there is reads=, and none where there is not"
        raise DefinitionError(f"{where}: expected {expected}, got reads={list(reads)!r}")
    found: dict[str, Projection[Any]] = {}
    for each in reads:
        if not isinstance(each, Projection):
            raise DefinitionError(f"{where}: reads: expected projections, got {each!r}")
        if path := _path_to(name, each):
            raise DefinitionError(f"{where}: reads: the stages form a circle: {' -> '.join([name, *path])}")
        for stage in each.stages:
            if found.setdefault(stage.name, stage) is not stage:
                raise DefinitionError(
                    f"{where}: reads: two projections are called {stage.name!r}; give each its own name"
                )


def _path_to(name: str, start: Projection[Any]) -> list[str]:
    """The names on the way to a projection of this name; none where there is no way."""
    if start.name == name:
        return [name]
    ways = [_path_to(name, each) for each in start.reads]
    return next(([start.name, *way] for way in ways if way), [])


def projection(
    name: str,
    *,
    version: int = 1,
    key: KeyFunction | None = None,
    category: str | None = None,
    tags: Sequence[str] = (),
    reads: Sequence[Projection[Any]] = (),
) -> Define:
    """Makes a function `(row, recorded) -> row`, or `(row, recorded, key) -> row`, a projection.

        @projection("balances")
        def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance | None: ...

    The row is None before the first event of its key; returning None deletes it. The model and the events come from the
    annotations. The model's first field holds the row's key. A third parameter, annotated with the type of that field, is
    given the key: where `key=` names several rows, it tells which of them is being folded. With `reads=`, a last parameter of
    type `RowLookup` looks up rows of other projections.

    Args:
        name: unique within an application.
        version: raise it when the fold changes.
        key: from a recorded event to its row's key; a list touches several rows, None or an empty list none. By default
            the id of the event's stream: "a-1" of `account-a-1`.
        category: only events of streams of this category.
        tags: only events with all of these tags.
        reads: projections whose rows the fold looks up, as of the event in hand. A row changes with its own events only.

    Raises:
        DefinitionError: the name or version is not acceptable, or the parameters are not a row, a recorded event and, where
            it is wanted, the key, each with its annotation.
    """
    if not name or not name.isidentifier() or name != name.lower():
        raise DefinitionError(f"projection {name!r}: expected a name of a-z, 0-9 and _, not beginning with a digit")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DefinitionError(f"projection {name!r}: version: expected a positive integer, got {version!r}")

    def define(function: Callable[..., Any]) -> Projection[Any]:
        signature = read_signature(name, function)
        model = signature.model
        if key is None and model.key.type is not str:
            raise DefinitionError(
                f"projection {name!r}: {model.cls.__name__}.{model.key.name} is {model.key.type.__name__}, and without key= a "
                "row's key is the id of its stream, a text; say key=, as in key=lambda recorded: int(recorded.stream_id)"
            )
        check_reads(name, reads, takes_lookup=signature.takes_lookup)
        return Projection(function, name, version, signature, key, category, tuple(tags), tuple(reads))

    return define
