"""The parameters of an application that are its database's, and what was meant by one that nobody has."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from eventstore import DefinitionError, EventfoldError
from eventstore.opening import options_at


def check_options(url: str, given: Iterable[str], called: Callable[..., Any]) -> None:
    """Whether the database at a URL takes each.

    Args:
        url: of the database; one that is faulty, or whose driver is missing, is told when it is opened.
        given: the names of the parameters that `called` has not itself.
        called: what they were given to.

    Raises:
        DefinitionError: there is no such parameter; the nearest that there is is named.
    """
    if not given:
        return
    try:
        known = options_at(url)
    except EventfoldError:
        return
    if known is None or not (unknown := sorted(set(given) - known)):
        return
    named = [each.name for each in inspect.signature(called).parameters.values() if each.kind is each.KEYWORD_ONLY]
    near = get_close_matches(unknown[0], [*named, *sorted(known)], 1)
    meant = f"did you mean {near[0]}=?" if near else f"a database at this URL takes {', '.join(sorted(known))}."
    raise DefinitionError(f"Application: there is no parameter {unknown[0]}=; {meant}")
