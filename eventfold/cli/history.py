"""`eventfold history`: each event of an aggregate, with what it changed."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Annotated, Any

import typer

from eventfold.cli.moments import (
    AggregateArgument,
    AtOption,
    IdArgument,
    OccurredOption,
    PositionOption,
    VersionOption,
    bounds_of,
)
from eventfold.cli.output import Format, console, put, show_rows
from eventfold.cli.paging import LimitOption, warn_of_more, with_one_more
from eventfold.cli.session import Session, command, warn
from eventfold.cli.steps import STEP_COLUMNS, step_block, step_row
from eventstore import Step


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "history", example="eventfold history Account a-1 --backwards --limit 5", rich_help_panel=panel)(
        history
    )


def history(
    session: Session,
    aggregate: AggregateArgument,
    stream_id: IdArgument,
    *,
    first: Annotated[
        int | None, typer.Option("--from", metavar="VERSION", min=1, help="Begin with it.", show_default=False)
    ] = None,
    backwards: Annotated[bool, typer.Option("--backwards", help="The newest first.")] = False,
    version: VersionOption = None,
    position: PositionOption = None,
    at: AtOption = None,
    occurred: OccurredOption = None,
    limit: LimitOption = 100,
) -> None:
    """Show each event of an aggregate: what it changed, when, and by whom.

    + is what was added, ~ what was changed, - what was removed. Who did it is the `actor` in the event's metadata.

    With --version, --position, --at or --occurred it ends at that moment, as in `state`.
    """
    app = session.application
    cls = app.parts.aggregate(aggregate)
    steps = app.history(cls, stream_id, **bounds_of(version, position, at, occurred))
    chosen = _newest(steps, first, limit) if backwards else _from(steps, first, limit)
    further: Sequence[list[Step[Any]]] = ()
    if limit:
        one_more = list(chosen)
        chosen, further = one_more[:limit], one_more[limit:]
    found = chain.from_iterable(chosen)
    table = session.format is Format.TABLE
    count = _show_blocks(found) if table else show_rows(map(step_row, found), STEP_COLUMNS, session.format)
    if not count:
        warn(f"{cls.__name__} {stream_id} has no such versions")
    if further:
        warn_of_more(f"--from {further[0][0].version}")


def _show_blocks(steps: Iterable[Step[Any]]) -> int:
    """Prints the steps, and returns how many they were."""
    count = 0
    for count, step in enumerate(steps, 1):
        if count > 1:
            console().print()
        put(step_block(step))
    return count


def _from(steps: Iterator[Step[Any]], first: int | None, limit: int) -> Iterable[list[Step[Any]]]:
    chosen = (step for step in steps if step.version >= (first or 1))
    return islice(_by_version(chosen), with_one_more(limit))


def _newest(steps: Iterator[Step[Any]], first: int | None, limit: int) -> Iterable[list[Step[Any]]]:
    """The last ones: every event must be folded for them, but no more are kept than are shown."""
    chosen = (step for step in steps if first is None or step.version <= first)
    kept = deque(_by_version(chosen), maxlen=with_one_more(limit))
    return [each[::-1] for each in reversed(kept)]


def _by_version(steps: Iterable[Step[Any]]) -> Iterator[list[Step[Any]]]:
    """Steps that were upcast from one stored event are together, so that no limit cuts them in two."""
    return (list(each) for _, each in groupby(steps, key=lambda step: step.version))
