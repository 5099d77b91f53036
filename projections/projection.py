"""Projections: pure folds from events to the rows of a read model."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args, overload

from eventstore import DefinitionError, Recorded
from projections.parked import POISON, Poison
from projections.partition import check_partitions, require_divisible
from projections.row_check import RowCheck
from projections.signature import Signature, read_signature
from projections.target import Target

R = TypeVar("R")
K = TypeVar("K")
KeyFunction: TypeAlias = Callable[[Recorded[Any]], Any]
Fold: TypeAlias = Callable[[R | None, Recorded[Any]], R | None]
Consistency: TypeAlias = Literal["async", "inline"]
KeyedFold: TypeAlias = Callable[[R | None, Recorded[Any], K], R | None]


class Projection(Generic[R]):
    """A fold and what is known of it. Calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: unique within an application.
        version: raised by the user when the fold changes; the rows are then rebuilt.
        model: what a row looks like.
        events: the event classes it folds; others are never read.
        takes_key: whether the function has a third parameter, the key of the row.
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
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, row: R | None, recorded: Recorded[Any], *key: Any) -> R | None:
        """Calls the function itself, which takes the key of the row only where it has a parameter for it."""
        return self.function(row, recorded, *key)

    @property
    def fingerprint(self) -> str:
        """Changes with the projection's version and with the shape of its model."""
        return hashlib.sha256(f"{self.version}:{self.model.shape}".encode()).hexdigest()[:16]

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
            DefinitionError: no target is given, two have the same name, or one cannot be divided or kept inline.
        """
        where = f"projection {self.name!r}"
        if not targets:
            raise DefinitionError(f"{where}: into() expects at least one target, as in SqlTable({self.name!r})")
        names = [target.name for target in targets]
        if len(set(names)) != len(names):
            raise DefinitionError(f"{where}: two targets are called {names}; give each its own name")
        if not isinstance(poison, Poison):
            raise DefinitionError(f"{where}: poison: expected a Poison, as in Poison(attempts=5), got {poison!r}")
        if check_partitions(where, partitions) > 1:
            for target in targets:
                require_divisible(where, target)
        if consistency not in get_args(Consistency):
            raise DefinitionError(f'{where}: consistency: expected "async" or "inline", got {consistency!r}')
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


class Define(Protocol):
    """Makes a fold a projection, be it of two parameters or of three."""

    @overload
    def __call__(self, function: Fold[R], /) -> Projection[R]: ...

    @overload
    def __call__(self, function: KeyedFold[R, K], /) -> Projection[R]: ...


def projection(
    name: str,
    *,
    version: int = 1,
    key: KeyFunction | None = None,
    category: str | None = None,
    tags: Sequence[str] = (),
) -> Define:
    """Makes a function `(row, recorded) -> row`, or `(row, recorded, key) -> row`, a projection.

        @projection("balances")
        def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance | None: ...

    The row is None before the first event of its key; returning None deletes it. The model and the events come from the
    annotations. The model's first field holds the row's key. A third parameter, annotated with the type of that field, is
    given the key: where `key=` names several rows, it tells which of them is being folded.

    Args:
        name: unique within an application.
        version: raise it when the fold changes.
        key: from a recorded event to its row's key; a list touches several rows, None or an empty list none. By default
            the id of the event's stream: "a-1" of `account-a-1`.
        category: only events of streams of this category.
        tags: only events with all of these tags.

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
        return Projection(function, name, version, signature, key, category, tuple(tags))

    return define
