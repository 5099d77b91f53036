"""How the targets of a projection are told apart: by their names, and a table and a search index of one name by their kinds."""

from collections.abc import Iterable

from eventstore import DefinitionError
from projections.target import Target


def names_of(projection: str, targets: Iterable[Target]) -> list[str]:
    """A name for each target that none of the others has: its own, with its kind before it where a table has that as well.

    Raises:
        DefinitionError: two of one kind are called the same.
    """
    found: dict[tuple[str, bool], Target] = {}
    for each in (mine := list(targets)):
        if found.setdefault((each.name, _is_apart(each)), each) is not each:
            raise DefinitionError(
                f"projection {projection!r}: two targets are called {each.name!r}; give each its own name. Only a table and what "
                f"is no table may share one, as SqlTable({each.name!r}) and ElasticsearchIndex({each.name!r}) do"
            )
    return [f"{type(each).__name__}:{each.name}" if _is_second(each, found) else each.name for each in mine]


def _is_second(target: Target, found: dict[tuple[str, bool], Target]) -> bool:
    return _is_apart(target) and (target.name, False) in found


def _is_apart(target: Target) -> bool:
    """Whether the rows are elsewhere than in tables: in a search index, or wherever a target of the user's own puts them."""
    return not getattr(target, "joins_appends", False)
