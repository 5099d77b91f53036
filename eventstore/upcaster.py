"""Upcasters: how an event that was stored in another shape is read as events of today."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, overload

import msgspec

from eventstore.errors import DefinitionError

R = TypeVar("R", covariant=True)

JsonObject: TypeAlias = dict[str, Any]
"""The fields of a stored event, as JSON has them: text, numbers, booleans, None, lists and dicts."""

Node: TypeAlias = tuple[str, int]
"""An event type's name and a schema version."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class UpcastError(Exception):
    """What went wrong in an upcaster; the codec adds which stored event it met."""


class Upcaster(Generic[R]):
    """One step from a stored type and schema version to the next. Calling it calls the function.

    Attributes:
        type: the stable name of the type that it reads.
        version: the schema version that it reads.
        into: the types that it may yield, each with its schema version; None where it leads to the type's next version.
        aliases: the other names under which that type is stored.
        name: module and name of the function.
    """

    def __init__(
        self,
        function: Callable[[JsonObject], R],
        type: str,  # noqa: A002 - the word of the log
        version: int,
        into: Mapping[str, int] | None,
        aliases: tuple[str, ...],
    ) -> None:
        self.function = function
        self.type = type
        self.version = version
        self.into = None if into is None else dict(into)
        self.aliases = aliases
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, data: JsonObject) -> R:
        """Calls the function itself."""
        return self.function(data)

    def __repr__(self) -> str:
        return f"<upcaster {self.name}: {self.step}>"

    @property
    def targets(self) -> tuple[Node, ...]:
        """The types and schema versions that it may lead to."""
        return ((self.type, self.version + 1),) if self.into is None else tuple(self.into.items())

    @property
    def step(self) -> str:
        """From where to where, for people."""
        ends = ", ".join(f"{name} {version}" for name, version in self.targets) or "nothing"
        return f"{self.type} {self.version} -> {ends}"

    def one(self, data: JsonObject) -> JsonObject:
        """The fields at the type's next version.

        Raises:
            UpcastError: it raised, or returned something else than a dict.
        """
        try:
            found: Any = self.function(data)
        except Exception as error:
            raise UpcastError(f"upcaster {self.name} ({self.step}) raised {_described(error)}") from error
        if type(found) is not dict:
            raise self._unexpected("a dict", found)
        return found

    def many(self, data: JsonObject) -> list[tuple[str, JsonObject]]:
        """The types and fields that it splits an event into.

        Raises:
            UpcastError: it raised, or yielded something else than pairs of a type in `into` and a dict.
        """
        try:
            found: Any = self.function(data)
            pieces = None if isinstance(found, (dict, str)) else [self._piece(each) for each in found]
        except UpcastError:
            raise
        except Exception as error:
            raise UpcastError(f"upcaster {self.name} ({self.step}) raised {_described(error)}") from error
        if pieces is None:
            raise self._unexpected("(type, dict) pairs", found)
        return pieces

    def _piece(self, piece: Any) -> tuple[str, JsonObject]:
        """One of the pairs as it is now; two of them may share a dict, and a generator may change one that it has yielded."""
        into = self.into or {}
        if type(piece) is not tuple or len(piece) != 2 or piece[0] not in into or type(piece[1]) is not dict:  # noqa: PLR2004 - a pair
            raise self._unexpected(f"pairs of {' or '.join(into) or 'nothing'} and a dict", piece)
        return piece[0], self.handed_on(piece[1])

    def handed_on(self, data: JsonObject) -> JsonObject:
        """A copy that the next step may change: what this one has returned may be part of what it keeps for other events.

        Raises:
            UpcastError: JSON cannot hold it.
        """
        try:
            copy: JsonObject = _decode(_encode(data))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UpcastError(f"what upcaster {self.name} ({self.step}) returned is no JSON: {error}") from error
        return copy

    def _unexpected(self, expected: str, found: Any) -> UpcastError:
        return UpcastError(f"upcaster {self.name} ({self.step}): expected {expected}, got {_short(found)}")


@overload
def upcasts(
    type: str, version: int, *, aliases: Sequence[str] = ...
) -> Callable[[Callable[[JsonObject], JsonObject]], Upcaster[JsonObject]]: ...
@overload
def upcasts(
    type: str, version: int, *, into: Mapping[str, int], aliases: Sequence[str] = ...
) -> Callable[
    [Callable[[JsonObject], Iterable[tuple[str, JsonObject]]]], Upcaster[Iterable[tuple[str, JsonObject]]]
]: ...
def upcasts(
    type: str,  # noqa: A002 - the word of the log
    version: int,
    *,
    into: Mapping[str, int] | None = None,
    aliases: Sequence[str] = (),
) -> Any:
    """Makes a function from stored fields to newer fields an upcaster, to be named by the event that it leads to.

        @upcasts("OrderPlaced", 1)
        def in_cents(data: JsonObject) -> JsonObject:
            return {"order_id": data["order_id"], "cents": round(data["total"] * 100)}

        class OrderPlaced(Event, version=2, upcasters=[in_cents]): ...

    The function is pure: it is called at every read, and what it returns is stored nowhere. It may change and return the
    dict that it is given, which is its own.

    Args:
        type: the stable name of the stored type.
        version: the stored schema version.
        into: where it leads elsewhere than to the type's next version: the types that it yields, each with the schema
            version of the fields it yields for it. The function then yields pairs of a type and a dict, as many as it
            likes; none drops the event.
        aliases: other names under which the type is stored. Only needed where it leads to other types, whose readers would
            not know them.

    Raises:
        DefinitionError: the type, the version or `into` is not acceptable, or it is not a function of one argument.
    """
    _check_node("upcasts", type, version)
    if into is not None:
        if not isinstance(into, Mapping):
            raise DefinitionError(f"upcasts {type} {version}: into: expected a dict of types to versions, got {into!r}")
        if not into:
            raise DefinitionError(
                f"upcasts {type} {version}: into: expected a type at least, got {into!r}; to drop a whole type, delete its "
                "class and name the type in `retired=` of the aggregates that had it"
            )
        for name, reached in into.items():
            _check_node(f"upcasts {type} {version}: into", name, reached)
        if into.get(type) == version:
            raise DefinitionError(f"upcasts {type} {version}: into: it leads to itself, and would never end")
    if isinstance(aliases, str) or any(not isinstance(each, str) or each == type for each in aliases):
        raise DefinitionError(f"upcasts {type} {version}: aliases: expected a list of other names, got {aliases!r}")

    def define(function: Any) -> Upcaster[Any]:
        if not callable(function) or inspect.iscoroutinefunction(function) or not _takes_one(function):
            raise DefinitionError(
                f"upcasts {type} {version}: expected a plain function of one argument, the stored fields, got {function!r}"
            )
        return Upcaster(function, type, version, into, tuple(aliases))

    return define


def check_steps(what: str, present: Node, steps: Mapping[Node, Upcaster[Any]], names: Mapping[str, str]) -> None:
    """Refuses steps of which one does not lead to a type at its present version.

    Args:
        what: the class, for the message.
        present: its type's name and schema version.
        steps: its upcasters, by what they read.
        names: the present names of types that had others.

    Raises:
        DefinitionError: a step is missing, leads elsewhere, or leads round in a circle.
    """
    for start, step in steps.items():
        reached = reached_from(what, start, steps, names)
        for end in reached - steps.keys() - {present}:
            if end[0] == present[0]:
                raise DefinitionError(
                    f"{what}: upcaster {step.name} ({step.step}) ends at {end[0]} {end[1]}, and the class is at version "
                    f"{present[1]}; {_mend(end, present)}"
                )
        if present not in reached:
            raise DefinitionError(
                f"{what}: upcaster {step.name} ({step.step}) does not lead to {present[0]} {present[1]}; name it in the "
                "event that it leads to"
            )


def reached_from(what: str, start: Node, steps: Mapping[Node, Upcaster[Any]], names: Mapping[str, str]) -> set[Node]:
    """Everything that a stored type and version may become.

    Raises:
        DefinitionError: the steps lead round in a circle.
    """
    reached: set[Node] = set()

    def visit(node: Node, path: tuple[Node, ...]) -> None:
        if node in path:
            ring = " -> ".join(f"{name} {version}" for name, version in (*path[path.index(node) :], node))
            raise DefinitionError(f"{what}: its upcasters lead round in a circle: {ring}")
        reached.add(node)
        if node in steps:
            for name, version in steps[node].targets:
                visit((names.get(name, name), version), (*path, node))

    visit(start, ())
    return reached


def _mend(end: Node, present: Node) -> str:
    if end[1] < present[1]:
        return f'add the step from there, `@upcasts("{end[0]}", {end[1]})`'
    return "raise the version of the class, or say where it leads with `into=`"


def _check_node(what: str, name: Any, version: Any) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise DefinitionError(f"{what}: type: expected the stable name of an event type, got {name!r}")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DefinitionError(f"{what}: version of {name}: expected a positive integer, got {version!r}")


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind({})
    except TypeError:
        return False
    except ValueError:  # a builtin that does not tell
        return True
    return True


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of the message
