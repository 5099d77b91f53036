"""What an application is declared with: everything that is wrong with it is found here, before a database is opened."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from commands import HandlerMap, Schedule
from eventstore import Aggregate, DefinitionError, Event, EventfoldError
from eventstore.aggregate import category_of, events_of, policy_of
from eventstore.encoding import path_of
from eventstore.event import event_classes
from projections import BoundProjection
from projections.reaction import Reaction

T = TypeVar("T")


def check_each(given: Iterable[Any], kind: type[T], expected: str) -> tuple[T, ...]:
    """What an option names.

    Args:
        given: the option.
        kind: what each must be.
        expected: the option and what it takes, in words.

    Raises:
        DefinitionError: one is something else.
    """
    found = tuple(given)
    for each in found:
        if not isinstance(each, kind):
            raise DefinitionError(f"{expected}, got {each!r}")
    return found


def check_targets(projections: Iterable[BoundProjection[Any]], url: str) -> None:
    """Refuses what would fail only at the first query: rows in SQL beside a log in memory.

    Raises:
        DefinitionError: there are some.
    """
    if not url.startswith("memory:"):
        return
    for each in projections:
        for target in each.targets:
            if target.needs_sql:
                raise DefinitionError(
                    f"projection {each.projection.name!r}: {type(target).__name__}({target.name!r}) keeps its rows in the "
                    f"log's own SQL database, and the log is in memory ({url}); use MemoryTable(), name a database "
                    "with url=, or give the log a sqlite:// or postgresql:// URL"
                )


def check_reactions(
    given: Iterable[Any], projections: Sequence[BoundProjection[Any]], broker: object
) -> tuple[Reaction, ...]:
    """Those of `reactions=`, each with a name of its own.

    Raises:
        DefinitionError: one is none, has the name of another or of a projection, or publishes without a broker.
    """
    found = check_each(given, Reaction, "reactions: expected functions under @reaction")
    names = [each.projection.name for each in projections]
    for each in found:
        if each.many is not None and broker is None:
            raise DefinitionError(
                f"publication {each.name!r}: expected a broker to publish to, got none; name one, as in broker='nats://...'"
            )
        if each.name in names:
            raise DefinitionError(
                f"reactions: another reaction or projection is called {each.name!r}; give each its own name"
            )
        names.append(each.name)
    return found


def check_schedules(given: Iterable[Any], handlers: HandlerMap) -> tuple[Schedule, ...]:
    """Those of `schedules=`, each with a name of its own and a command that is handled.

    Raises:
        DefinitionError: one is none, has the name of another, or a command that would be refused.
    """
    found = check_each(given, Schedule, "schedules: expected Schedule(name, command, cron= or every=)")
    names = set[str]()
    for each in found:
        if each.name in names:
            raise DefinitionError(f"schedules: two are called {each.name!r}; give each its own name")
        names.add(each.name)
        try:
            handlers.check(each.command)
        except EventfoldError as error:
            raise DefinitionError(f"Schedule {each.name!r}: {error}") from error
    return found


def check_aggregates(given: Any) -> tuple[type[Aggregate[Any]], ...]:
    """Those of `aggregates=`.

    Raises:
        DefinitionError: one is none.
    """
    declared = (given,) if isinstance(given, type) else tuple(given)
    for each in declared:
        if not _is_aggregate(each):
            raise DefinitionError(
                f"aggregates: expected classes as in `class Account(Aggregate[...])`, got {each!r}; of an object that "
                "records, name the aggregate in its `Recording[...]`"
            )
    return declared


def known_aggregates(
    handlers: HandlerMap, declared: Iterable[type[Aggregate[Any]]]
) -> tuple[type[Aggregate[Any]], ...]:
    """Those of the handlers, and those that are declared.

    Raises:
        DefinitionError: two would take their snapshots for each other's.
    """
    of_handlers = [parameter.aggregate for handler in handlers for parameter in handler.parameters]
    kept: dict[tuple[str, str], type[Aggregate[Any]]] = {}
    found = tuple(dict.fromkeys([*of_handlers, *declared]))
    for cls in found:
        other = kept.setdefault((cls.__name__, category_of(cls)), cls) if policy_of(cls) is not None else cls
        if other is not cls:
            raise DefinitionError(
                f"{path_of(other)} and {path_of(cls)} are both called {cls.__name__} and fold the streams of "
                f"{category_of(cls)!r}: their snapshots would be taken for each other's; give one another name"
            )
    return found


def known_events(
    given: Any,
    aggregates: Iterable[type[Aggregate[Any]]],
    projections: Iterable[BoundProjection[Any]],
    reactions: Iterable[Reaction],
    publish: Mapping[type[Event], object],
) -> tuple[type[Event], ...]:
    """Those of `events=`, and those of all else that is declared.

    Raises:
        DefinitionError: something is no event.
    """
    for each in given if isinstance(given, (list, tuple, set, frozenset)) else [given]:
        if _is_aggregate(each):
            raise DefinitionError(
                f"events: {each.__name__} is an aggregate; name it in `aggregates=`, and its events are known, too"
            )
    found: list[type[Event]] = list(event_classes(given) if given else ())
    for aggregate in aggregates:
        found.extend(events_of(aggregate))
    for bound in projections:
        found.extend(bound.projection.events_read)
    for reaction in reactions:
        found.extend(reaction.events)
    found.extend(publish)
    return tuple(dict.fromkeys(found))


def _is_aggregate(declared: Any) -> bool:
    return isinstance(declared, type) and issubclass(declared, Aggregate)
