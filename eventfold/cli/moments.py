"""The options that name an aggregate and a moment of it, for all commands that travel in time."""

from typing import Annotated, Any

import typer

from eventfold.cli.completion import aggregate_names
from eventfold.cli.instants import until

AggregateArgument = Annotated[
    str, typer.Argument(metavar="AGGREGATE", help="Its class name or category.", autocompletion=aggregate_names)
]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="What follows the category in the stream's name.", show_default=False)
]
VersionOption = Annotated[
    int | None, typer.Option("--version", metavar="NUMBER", min=0, help="At this version.", show_default=False)
]
PositionOption = Annotated[
    int | None,
    typer.Option("--position", metavar="NUMBER", min=0, help="At this position of the log.", show_default=False),
]
AtOption = Annotated[str | None, typer.Option("--at", metavar="INSTANT", help="As the log knew it then.")]
OccurredOption = Annotated[
    str | None, typer.Option("--occurred", metavar="INSTANT", help="From what had occurred by then.")
]


def bounds_of(version: int | None, position: int | None, at: str | None, occurred: str | None) -> dict[str, Any]:
    """Those that were given, as `eventstore.loading.moment` takes them."""
    bounds = {
        "at_version": version,
        "position": position,
        "at": until(at, "--at") if at is not None else None,
        "occurred": until(occurred, "--occurred") if occurred is not None else None,
    }
    return {name: bound for name, bound in bounds.items() if bound is not None}
