"""`eventfold projections pause|resume|reset`."""

from typing import Annotated

import typer

from eventfold.cli.completion import projection_names
from eventfold.cli.session import Session, command, warn

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names, show_default=False)
]


def add_to(group: typer.Typer) -> None:
    """Adds the commands to the noun of the projections."""
    command(group, "pause", example="eventfold projections pause balances")(pause)
    command(group, "resume", example="eventfold projections resume balances")(resume)
    command(group, "reset", example="eventfold projections reset balances")(reset)


def pause(session: Session, name: NameArgument) -> None:
    """Let nobody keep a projection until it is resumed.

    That holds for every worker and every query, in all processes, and lasts. The rows can still be read, rebuilt and mended.
    """
    session.application.pause(name)
    warn(f"projection {name} is paused", style="green")


def resume(session: Session, name: NameArgument) -> None:
    """Let a paused projection go on from where it stands."""
    session.application.resume(name)
    warn(f"projection {name} goes on", style="green")


def reset(session: Session, name: NameArgument) -> None:
    """Empty a projection's rows; workers fold them anew from the beginning of the log.

    Readers see what is folded so far. `rebuild` spares them that: it folds beside the rows in use, and swaps them at the end.
    """
    session.application.reset(name)
    warn(f"projection {name} begins anew; workers fold it at their own pace", style="green")
