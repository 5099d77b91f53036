"""Projections: pure folds from events to the rows of a read model."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from eventstore import DefinitionError, Event, Recorded
from eventstore.event import event_classes
from projections.model import Model, model_of
from projections.target import Target

R = TypeVar("R")
Key: TypeAlias = str | int
KeyFunction: TypeAlias = Callable[[Recorded[Any]], Any]
Fold: TypeAlias = Callable[[R | None, Recorded[Any]], R | None]


class Projection(Generic[R]):
    """A fold and what is known of it. Calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: unique within an application.
        version: raised by the user when the fold changes; the rows are then rebuilt.
        model: what a row looks like.
        events: the event classes it folds; others are never read.
        category: only events of streams of this category.
        tags: only events with all of these tags.
        key: from a recorded event to the key of the row it touches, a list of keys, or None for no row.
    """

    def __init__(
        self,
        function: Fold[R],
        name: str,
        version: int,
        model: Model,
        events: tuple[type[Event], ...],
        key: KeyFunction | None,
        category: str | None,
        tags: tuple[str, ...],
    ) -> None:
        self.function = function
        self.name = name
        self.version = version
        self.model = model
        self.events = events
        self.key = key
        self.category = category
        self.tags = tags
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, row: R | None, recorded: Recorded[Any]) -> R | None:
        """Calls the function itself."""
        return self.function(row, recorded)

    @property
    def fingerprint(self) -> str:
        """Changes with the projection's version and with the shape of its model."""
        return hashlib.sha256(f"{self.version}:{self.model.shape}".encode()).hexdigest()[:16]

    def into(self, *targets: Target) -> "BoundProjection[R]":
        """The projection with the places its rows are kept in.

        Raises:
            DefinitionError: no target is given, or two have the same name.
        """
        if not targets:
            raise DefinitionError(
                f"projection {self.name!r}: into() expects at least one target, as in SqlTable({self.name!r})"
            )
        names = [target.name for target in targets]
        if len(set(names)) != len(names):
            raise DefinitionError(f"projection {self.name!r}: two targets are called {names}; give each its own name")
        return BoundProjection(self, targets)

    def __repr__(self) -> str:
        return f"<projection {self.name} version {self.version}>"


class BoundProjection(Generic[R]):
    """A projection and its targets."""

    def __init__(self, projection: Projection[R], targets: Sequence[Target]) -> None:
        self.projection = projection
        self.targets = tuple(targets)


def projection(
    name: str,
    *,
    version: int = 1,
    key: KeyFunction | None = None,
    category: str | None = None,
    tags: Sequence[str] = (),
) -> Callable[[Callable[[R | None, Recorded[Any]], R | None]], Projection[R]]:
    """Makes a function `(row, recorded) -> row` a projection.

        @projection("balances")
        def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance | None: ...

    The row is None before the first event of its key; returning None deletes it. The model and the events come from the
    annotations. The model's first field holds the row's key.

    Args:
        name: unique within an application.
        version: raise it when the fold changes.
        key: from a recorded event to its row's key; a list touches several rows, None or an empty list none. By default
            the id of the event's stream: "a-1" of `account-a-1`.
        category: only events of streams of this category.
        tags: only events with all of these tags.

    Raises:
        DefinitionError: the annotations do not name a model and events.
    """
    if not name or not name.isidentifier() or name != name.lower():
        raise DefinitionError(f"projection {name!r}: expected a name of a-z, 0-9 and _, not beginning with a digit")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DefinitionError(f"projection {name!r}: version: expected a positive integer, got {version!r}")

    def define(function: Callable[[R | None, Recorded[Any]], R | None]) -> Projection[R]:
        model, events = _annotations(name, function)
        if key is None and model.key.type is not str:
            raise DefinitionError(
                f"projection {name!r}: {model.cls.__name__}.{model.key.name} is {model.key.type.__name__}, and without key= a "
                "row's key is the id of its stream, a text; say key=, as in key=lambda recorded: int(recorded.stream_id)"
            )
        return Projection(function, name, version, model, events, key, category, tuple(tags))

    return define


def _annotations(name: str, function: Callable[..., Any]) -> tuple[Model, tuple[type[Event], ...]]:
    parameters = list(inspect.signature(function).parameters)
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DefinitionError(f"projection {name!r}: an annotation cannot be resolved: {error}") from error
    if len(parameters) != 2 or any(each not in hints for each in parameters):  # noqa: PLR2004 - row and recorded
        raise DefinitionError(
            f"projection {name!r}: expected two annotated parameters, as in (row: Balance | None, recorded: Recorded[AccountEvent])"
        )
    row, recorded = (hints[each] for each in parameters)
    structs = [each for each in get_args(row) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    if len(structs) != 1 or type(None) not in get_args(row):
        raise DefinitionError(f"projection {name!r}: parameter {parameters[0]}: expected `Model | None`, got {row}")
    if get_origin(recorded) is not Recorded:
        raise DefinitionError(
            f"projection {name!r}: parameter {parameters[1]}: expected `Recorded[...]`, got {recorded}"
        )
    return model_of(structs[0]), event_classes(get_args(recorded)[0])
