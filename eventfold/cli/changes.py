"""What changed, as rows and in colours: the same wherever changes are printed."""

from typing import Any

from rich.text import Text

from eventfold.cli.table import Column, plain, word
from eventstore import Difference

COLUMNS = (word("field", style="bold"), word("change"), Column("before"), Column("after"))
STYLES = {"added": "green", "changed": "yellow", "removed": "red"}
SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def change_row(change: Difference) -> dict[str, Any]:
    """A change for programs."""
    return {"field": change.field, "change": change.change, "before": change.before, "after": change.after}


def coloured_row(change: Difference) -> dict[str, Text]:
    """A change as a row of a table for people."""
    before, after = _values(change)
    return {
        "field": Text(change.field),
        "change": Text(change.change, STYLES[change.change]),
        "before": before or Text(),
        "after": after or Text(),
    }


def coloured_line(change: Difference) -> tuple[Text, Text]:
    """A change in one line: its sign and field, and what it was and is."""
    before, after = _values(change)
    values = [each for each in (before, after) if each is not None]
    style = STYLES[change.change]
    return Text(f"{SIGNS[change.change]} {change.field}", style), Text(" -> ").join(values)


def _values(change: Difference) -> tuple[Text | None, Text | None]:
    before = None if change.change == "added" else Text(plain(change.before), "red")
    return before, None if change.change == "removed" else Text(plain(change.after), "green")
