"""Aggregates: a frozen state, and a fold from one event to the next state."""

import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, ForwardRef, Generic, Self, TypeVar, dataclass_transform, get_args, get_origin

import msgspec

from eventstore.codec import Codec, codec_of
from eventstore.errors import DefinitionError
from eventstore.event import Event, event_classes, event_type
from eventstore.frozen import FrozenMeta, options_of
from eventstore.snapshot_policy import SnapshotPolicy

E = TypeVar("E", contravariant=True)


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))  # see FrozenMeta
class Aggregate(msgspec.Struct, Generic[E], metaclass=FrozenMeta):
    """The state of one stream, folded from its events.

        class Account(Aggregate[Deposited | Withdrawn]):
            balance: int = 0

            def evolve(self, event: Deposited | Withdrawn) -> "Account": ...

    Every field has a default: the state before the first event. The stream of account "a-1" is `account-a-1`; the
    category is the class's name in snake case, or `class Account(..., category="accounts")`.

    `snapshots=SnapshotPolicy(every=100)` keeps snapshots of long streams. Then `version=2` says that `evolve` folds another
    state than before from the same events: snapshots of other versions are not used any more.

    A stored event of a type that is not declared is an error, because the state would be wrong without it. What the state
    no longer needs is named, and passed over: `class Account(..., retired=["FeeAnnounced"])`.
    """

    __allowed_options__: ClassVar[frozenset[str]] = frozenset({"category", "snapshots", "version", "retired"})

    def evolve(self, event: E) -> Self:
        """The state after one more event. Pure: no clock, no randomness, no input or output."""
        raise DefinitionError(f"{type(self).__qualname__}: define `evolve(self, event)`, which returns the next state")


@cache
def category_of(aggregate: type[Aggregate[Any]]) -> str:
    """What the names of this aggregate's streams begin with.

    Raises:
        DefinitionError: the declared category is empty or has a dash.
    """
    declared = options_of(aggregate).get("category")
    category = snake_case(aggregate.__name__) if declared is None else declared
    if not isinstance(category, str) or not category.isprintable() or not category or "-" in category:
        raise DefinitionError(f"{aggregate.__qualname__}: category: expected text without a dash, got {category!r}")
    return category


@cache
def policy_of(aggregate: type[Aggregate[Any]]) -> SnapshotPolicy | None:
    """When snapshots of this aggregate are written; None where it has none.

    Raises:
        DefinitionError: what is declared is no policy.
    """
    declared = options_of(aggregate).get("snapshots")
    if declared is not None and not isinstance(declared, SnapshotPolicy):
        raise DefinitionError(f"{aggregate.__qualname__}: snapshots: expected a SnapshotPolicy, got {declared!r}")
    return declared


@cache
def evolve_version(aggregate: type[Aggregate[Any]]) -> int:
    """The declared version of the fold; 1 unless declared.

    Raises:
        DefinitionError: it is not a positive integer.
    """
    version = options_of(aggregate).get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DefinitionError(f"{aggregate.__qualname__}: version must be a positive integer, got {version!r}")
    return version


@cache
def codec_for(aggregate: type[Aggregate[Any]]) -> Codec:
    """The codec of this aggregate's events, which refuses events that it does not declare."""
    return codec_of(events_of(aggregate), strict=True, retired=retired_of(aggregate))


@cache
def retired_of(aggregate: type[Aggregate[Any]]) -> tuple[str, ...]:
    """The names of the stored types that the aggregate passes over.

    Raises:
        DefinitionError: it is not a list of names, or one of them is declared.
    """
    retired = options_of(aggregate).get("retired", ())
    if (
        isinstance(retired, str)
        or not isinstance(retired, Sequence)
        or any(not isinstance(each, str) for each in retired)
    ):
        raise DefinitionError(f"{aggregate.__qualname__}: retired: expected a list of type names, got {retired!r}")
    if both := {event_type(cls) for cls in events_of(aggregate)}.intersection(retired):
        raise DefinitionError(
            f"{aggregate.__qualname__}: retired: {', '.join(sorted(both))}: declared as its event, too"
        )
    return tuple(retired)


@cache
def events_of(aggregate: type[Aggregate[Any]]) -> tuple[type[Event], ...]:
    """The event classes that this aggregate is folded from.

    Raises:
        DefinitionError: it is not declared as `Aggregate[...]`.
    """
    for cls in aggregate.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Aggregate:
                return event_classes(_resolve(get_args(base)[0], cls))
    raise DefinitionError(
        f"{aggregate.__qualname__}: name its events, as in `class {aggregate.__name__}(Aggregate[Opened | Closed])`"
    )


@cache
def initial(aggregate: type[Aggregate[Any]]) -> Any:
    """The state before the first event.

    Raises:
        DefinitionError: a field has no default.
    """
    missing = [field.name for field in msgspec.structs.fields(aggregate) if field.required]
    if missing:
        raise DefinitionError(
            f"{aggregate.__qualname__}: {', '.join(missing)} must have a default, which is the state before the first event"
        )
    return aggregate()


def snake_case(name: str) -> str:
    """`BankAccount` as `bank_account`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _resolve(declared: Any, cls: type) -> Any:
    if not isinstance(declared, (str, ForwardRef)):
        return declared
    text = declared if isinstance(declared, str) else declared.__forward_arg__
    namespace = vars(sys.modules[cls.__module__])
    if text not in namespace:
        raise DefinitionError(f"{cls.__qualname__}: Aggregate[{text!r}]: no such name in {cls.__module__}")
    return namespace[text]
