"""Queries over the log's types and tags, and the append condition built on them.

The Dynamic Consistency Boundary (https://dcb.events): a decision reads the events that matter to it, whatever their
stream, and its append is refused if another event that would have mattered has come in since.
"""

from collections.abc import Iterable, Sequence

import msgspec

from eventstore.bounds import check_number
from eventstore.errors import InvalidInput, shown
from eventstore.event import MAX_TYPE_LENGTH, Event, event_type

MAX_TAG_LENGTH = 255

_LISTS = {tuple, list}
"""What need not be asked whether it can be iterated, which takes longer than all the rest."""


class QueryItem(msgspec.Struct, frozen=True):
    """Matches an event that has one of `types` (any type where empty) and all of `tags`."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True):
    """Matches an event that one of its items matches. Built with `Query.of(...)`, joined with `|`."""

    items: tuple[QueryItem, ...]

    @classmethod
    def of(cls, *types: type[Event] | str, tags: Sequence[str] = ()) -> "Query":
        """A query for events that have one of `types` (all types where none is given) and all of `tags`.

        Raises:
            InvalidInput: neither types nor tags are given, or a tag is not acceptable.
        """
        if not types and not tags:
            raise InvalidInput("query: expected at least one type or tag, got neither")
        return cls((QueryItem(type_names(types), check_tags(tags)),))

    def __or__(self, other: "Query") -> "Query":
        return Query(self.items + other.items)


class AppendCondition(msgspec.Struct, frozen=True):
    """The append is refused if an event after position `after` matches `query`.

    Args:
        query: what may not have happened.
        after: the last position that the decision has seen; 0 where the event may not exist at all.
    """

    query: Query
    after: int = 0


def type_name(declared: type[Event] | str) -> str:
    """The stable name of an event class; a text is taken as it is.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(declared, str) and 0 < len(declared) <= MAX_TYPE_LENGTH and declared.isprintable():
        return declared
    if isinstance(declared, type) and issubclass(declared, Event):
        return event_type(declared)
    raise InvalidInput(
        f"types: expected Event classes, or names of 1 to {MAX_TYPE_LENGTH} characters, got {declared!r}"
    )


def type_names(declared: Iterable[type[Event] | str]) -> tuple[str, ...]:
    """The stable names of event classes, each once, in their order.

    Raises:
        InvalidInput: one of them is not an event class or its name, or one was given in place of a list.
    """
    if type(declared) not in _LISTS and (isinstance(declared, (str, type)) or not isinstance(declared, Iterable)):
        raise InvalidInput(f"types: expected a list of Event classes or names, got {declared!r}")
    return tuple(dict.fromkeys(type_name(each) for each in declared))


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Returns the tags, each once, in their order.

    Raises:
        InvalidInput: a tag is not a text of 1 to 255 printable characters, or one text was given in place of a list.
    """
    if type(tags) not in _LISTS and (isinstance(tags, str) or not isinstance(tags, Iterable)):
        raise InvalidInput(f"tags: expected a list of texts, got {tags!r}")
    given = tuple(tags)
    for tag in given:
        if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG_LENGTH or not tag.isprintable():
            raise InvalidInput(f"tags: expected 1 to {MAX_TAG_LENGTH} printable characters each, got {shown(tag)}")
    return tuple(dict.fromkeys(given))


def check_condition(condition: AppendCondition) -> AppendCondition:
    """Returns the condition if it can be checked.

    Raises:
        InvalidInput: its query cannot be asked, or its position is not one.
    """
    if not isinstance(condition, AppendCondition):
        raise InvalidInput(f"append condition: expected an AppendCondition, got {condition!r}")
    check_number("append condition: after", condition.after)
    check_query("append condition", condition.query)
    return condition


def check_query(field: str, query: Query) -> Query:
    """Returns the query if it can be asked.

    Raises:
        InvalidInput: it is not a query, has no items, or has one that matches everything or is not acceptable.
    """
    if not isinstance(query, Query):
        raise InvalidInput(f"{field}: query: expected a Query, as in Query.of(Deposited), got {query!r}")
    if not query.items:
        raise InvalidInput(f"{field}: query: expected at least one item, got none")
    for item in query.items:
        if not item.types and not item.tags:
            raise InvalidInput(f"{field}: query: expected types or tags in each item, got one that matches everything")
        type_names(item.types)
        check_tags(item.tags)
    return query
