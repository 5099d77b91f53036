"""The results for people and for programs."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Result


def as_json(results: Sequence[Result]) -> str:
    """A list of rows."""
    return msgspec.json.format(msgspec.json.encode(results), indent=2).decode() + "\n"


def print_table(results: Sequence[Result], console: Console) -> None:
    """Ratios, with what is owed and whether it is met."""
    table = Table(title="Ratios are medians over the repetitions; above 1.00, ours is faster")
    table.add_column("path")
    for heading in ("ours", "floor", "eventsourcing", "unit", "of floor", "over peer", "owed"):
        table.add_column(heading, justify="left" if heading in {"unit", "owed"} else "right")
    table.add_column("met")
    for each in results:
        table.add_row(
            f"{each.path} [dim]({each.name})[/]",
            _number(each.ours),
            _number(each.floor),
            _number(each.peer),
            each.unit,
            _ratio(each.of_floor),
            _ratio(each.over_peer),
            each.owed or "",
            {True: "[green]yes[/]", False: "[red]NO[/]", None: ""}[each.met],
        )
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"
