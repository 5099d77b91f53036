"""Which stored types and versions become which events, and how: what the classes of one reader declare, joined."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from eventstore.encoding import path_of
from eventstore.errors import DefinitionError
from eventstore.event import Event, aliases_of, event_type, schema_version, upcasters_of
from eventstore.query import Query, QueryItem
from eventstore.upcaster import JsonObject, Node, Upcaster, reached_from

Made: TypeAlias = tuple[str, int, JsonObject, Upcaster[Any]]
"""What a stored event has become: type, schema version and fields, and the step that yielded them."""


class Lineage:
    """The present and the older names and shapes of event classes.

    Args:
        classes: those that a reader declares.

    Attributes:
        classes: the same, by their type's name.

    Raises:
        DefinitionError: two classes have the same type name or alias, or read one stored version in different ways.
    """

    def __init__(self, classes: Sequence[type[Event]]) -> None:
        self.classes: dict[str, type[Event]] = {}
        self._aliases: dict[str, str] = {}
        self._steps: dict[Node, Upcaster[Any]] = {}
        for cls in classes:
            self._add_class(cls)
        for cls in classes:
            self._add_aliases(cls)
        for cls in classes:
            self._add_steps(cls)
        self._targets = {
            node: {name: (self.canonical(name), version) for name, version in step.targets}
            for node, step in self._steps.items()
        }
        self._check_steps()
        self._names = {name: found for name in self.classes if len(found := self._stored_names(name)) > 1}

    # -- reading ---------------------------------------------------------------------------------------------------

    def canonical(self, name: str) -> str:
        """The present name of a stored type; the name itself where it never had another."""
        return self._aliases.get(name, name)

    def present(self, name: str) -> int | None:
        """The present schema version of a stored type; None where no class is declared for it."""
        cls = self.classes.get(self.canonical(name))
        return None if cls is None else schema_version(cls)

    def is_older(self, node: Node) -> bool:
        """Whether a stored type and version is read through an alias or an upcaster."""
        name = self.canonical(node[0])
        return (name, node[1]) in self._steps or (name != node[0] and node[1] == self.present(name))

    def older(self) -> Iterator[Node]:
        """Every stored type and version that is read through an alias or an upcaster."""
        present = [(name, schema_version(cls)) for name, cls in self.classes.items()]
        for name, version in [*self._steps, *present]:
            names = [name, *(alias for alias, known in self._aliases.items() if known == name)]
            yield from ((each, version) for each in names if self.is_older((each, version)))

    def straight(self, node: Node) -> tuple[list[Upcaster[Any]], type[Event]] | None:
        """The steps to a declared class where each makes one event of one; None where a step may make any number."""
        name, version, steps = self.canonical(node[0]), node[1], []
        while (step := self._steps.get((name, version))) is not None:
            if step.into is not None:
                return None
            steps.append(step)
            version += 1
        cls = self.classes.get(name)
        return None if cls is None or schema_version(cls) != version else (steps, cls)

    def ends(self, node: Node) -> list[Node]:
        """The types and versions that a stored one may be read as; itself where no step leads on."""
        reached = reached_from(node[0], (self.canonical(node[0]), node[1]), self._steps, self._aliases)
        return sorted(each for each in reached if each not in self._steps)

    def upcast(self, node: Node, fields: JsonObject) -> list["Made"]:
        """What a stored event becomes, as far as steps lead, in the order in which they yield it.

        Raises:
            UpcastError: an upcaster failed.
        """
        node = self._aliases.get(node[0], node[0]), node[1]
        step, targets = self._steps[node], self._targets[node]
        pairs = [(step.type, step.one(fields))] if step.into is None else step.many(fields)
        made: list[Made] = []
        for target, each in pairs:
            reached = targets[target]
            if reached in self._steps:
                made += self.upcast(reached, step.handed_on(each) if step.into is None else each)
            else:
                made.append((reached[0], reached[1], each, step))
        return made

    # -- filtering -------------------------------------------------------------------------------------------------

    def stored_names(self, name: str) -> tuple[str, ...]:
        """The names under which events of a type may be stored, its own first."""
        return self._names.get(name, (name,))

    def stored(self, query: Query) -> Query:
        """The query with every name under which events of its types may be stored: what to ask the database."""
        if not self._names:
            return query
        items = [
            QueryItem(tuple(dict.fromkeys(old for name in item.types for old in self.stored_names(name))), item.tags)
            for item in query.items
        ]
        return query if tuple(items) == query.items else Query(tuple(items))

    def left(self, query: Query) -> Query | None:
        """What events must match once they are decoded; None where the database has left nothing to do.

        A name that is only a former one stands for whatever its events have become.
        """
        if not self._steps:
            return None
        items = tuple(QueryItem(self._present(item.types), item.tags) for item in query.items)
        return Query(items) if any(self._mixes(item) for item in items) else None

    def _mixes(self, item: QueryItem) -> bool:
        """Whether what is stored under the names of an item's types may have become other types, too."""
        stored = {old for name in item.types for old in self.stored_names(name)}
        return any(not self._becomes(name) <= set(item.types) for name in stored)

    def _present(self, names: Iterable[str]) -> tuple[str, ...]:
        former = [name for name in names if name not in self.classes]
        return tuple(dict.fromkeys([*names, *sorted(each for name in former for each in self._becomes(name))]))

    def _becomes(self, name: str) -> set[str]:
        """The types of the events that a stored type may become."""
        canonical = self.canonical(name)
        found = {canonical}
        for node in self._steps:
            if node[0] == canonical:
                found |= {each[0] for each in reached_from(name, node, self._steps, self._aliases)}
        return found

    def _stored_names(self, name: str) -> tuple[str, ...]:
        cls = self.classes[name]
        sources = dict.fromkeys([name, *(self.canonical(step.type) for step in upcasters_of(cls))])
        aliases = [alias for alias, known in self._aliases.items() if known in sources]
        return tuple(dict.fromkeys([*sources, *(step.type for step in upcasters_of(cls)), *aliases]))

    # -- joining ---------------------------------------------------------------------------------------------------

    def _add_class(self, cls: type[Event]) -> None:
        name = event_type(cls)
        other = self.classes.setdefault(name, cls)
        if other is not cls:
            raise DefinitionError(
                f"event type {name!r} is declared by {path_of(other)} and by {path_of(cls)}; "
                "give one of them another name with `event_type=`"
            )

    def _add_aliases(self, cls: type[Event]) -> None:
        declared = [(alias, event_type(cls)) for alias in aliases_of(cls)]
        for alias, name in [*declared, *((alias, step.type) for step in upcasters_of(cls) for alias in step.aliases)]:
            other = alias if alias in self.classes else self._aliases.setdefault(alias, name)
            if other != name:
                raise DefinitionError(
                    f"{path_of(cls)}: alias {alias!r} stands for {name}, and elsewhere for {other}; one stored name is read "
                    "as one type"
                )

    def _add_steps(self, cls: type[Event]) -> None:
        for step in upcasters_of(cls):
            node = (self.canonical(step.type), step.version)
            owner = self.classes.get(node[0])
            if owner is not None and schema_version(owner) == node[1]:
                raise DefinitionError(
                    f"{path_of(cls)}: upcaster {step.name} reads {node[0]} {node[1]}, which is the present version of "
                    f"{path_of(owner)}; raise that one's version"
                )
            other = self._steps.setdefault(node, step)
            if other is not step:
                raise DefinitionError(
                    f"{node[0]} {node[1]} is read by two upcasters, {other.name} and {step.name}; keep one"
                )

    def _check_steps(self) -> None:
        """No step may lead round in a circle, to a declared class that does not know of it, or away from one unknown."""
        for node, step in self._steps.items():
            for name, _ in reached_from(step.name, node, self._steps, self._aliases) - {node}:
                cls = self.classes.get(name)
                if cls is not None and step not in upcasters_of(cls):
                    raise DefinitionError(
                        f"{path_of(cls)}: upcaster {step.name} ({step.step}) leads to it; name it in its `upcasters=` too"
                    )
            self._check_names(step)

    def _check_names(self, step: Upcaster[Any]) -> None:
        """Readers of the types that a step leads to know only the names that the step itself knows."""
        owner = self.classes.get(self.canonical(step.type))
        if owner is None or step.into is None:
            return
        missing = {event_type(owner), *aliases_of(owner)} - {step.type, *step.aliases}
        if missing and any(self.canonical(name) != event_type(owner) for name in step.into):
            raise DefinitionError(
                f"upcaster {step.name} ({step.step}) reads {step.type}, which is stored as {', '.join(sorted(missing))}, too; "
                "name that in its `aliases=`"
            )
