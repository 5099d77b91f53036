"""`eventfold state`: an aggregate, now or as it was, and what changed between two moments."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from eventfold.application import Application
from eventfold.cli.changes import COLUMNS, change_row, coloured_row
from eventfold.cli.completion import aggregate_names
from eventfold.cli.instants import moment_of, until
from eventfold.cli.output import Format, console, show_record, show_rows
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import builtin
from eventstore import Aggregate, Loaded, StreamNotFound
from eventstore.difference import difference
from eventstore.loading import moment


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "state", example="eventfold state Account a-1 --diff 3..7", rich_help_panel=panel)(state)


def state(
    session: Session,
    aggregate: Annotated[
        str, typer.Argument(metavar="AGGREGATE", help="Its class name or category.", autocompletion=aggregate_names)
    ],
    stream_id: Annotated[
        str, typer.Argument(metavar="ID", help="What follows the category in the stream's name.", show_default=False)
    ],
    *,
    version: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="At this version.", show_default=False)
    ] = None,
    position: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="At this position of the log.", show_default=False)
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="INSTANT", help="As the log knew it then.")] = None,
    occurred: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="From what had occurred by then, as known now.")
    ] = None,
    diff: Annotated[
        str | None, typer.Option(metavar="A..B", help="What changed from A to B; see above.", show_default=False)
    ] = None,
) -> None:
    """Show an aggregate, now or as it was, or what changed.

    INSTANT is a date or a date with a time, in UTC unless it says otherwise; a plain date means the end of that day.

    In --diff, A and B are versions (3..7) or instants (2026-01-01..2026-01-31). With position: or occurred: in
    front they are that: occurred:1997-01-31..1997-06-30. Without A it begins before the first event, without B it ends now.
    """
    app = session.application
    cls = app.parts.aggregate(aggregate)
    bounds = {
        "at_version": version,
        "position": position,
        "at": until(at) if at is not None else None,
        "occurred": until(occurred) if occurred is not None else None,
    }
    if diff is None:
        _show_state(session, app.load_with_version(cls, stream_id, **bounds))  # type: ignore[arg-type]
        return
    if any(each is not None for each in bounds.values()):
        usage_error("--diff names both moments itself; leave out --version, --position, --at and --occurred")
    _show_difference(session, *_both(app, cls, stream_id, diff))


def _show_state(session: Session, loaded: Loaded[Any]) -> None:
    where = {"stream": loaded.stream, "version": loaded.version, "position": loaded.position}
    values = builtin(loaded.state)
    show_record(where | (values if session.format is Format.TABLE else {"state": values}), session.format)


def _both(app: Application, cls: type[Aggregate[Any]], stream_id: str, diff: str) -> tuple[Loaded[Any], Loaded[Any]]:
    first, dots, last = diff.partition("..")
    if not dots:
        usage_error(f"--diff: expected A..B, as in 3..7 or 2026-01-01..2026-01-31, got {diff!r}")
    kind, start = moment_of(first) if first else (None, {"at_version": 0})
    _, end = moment_of(last, kind) if last else (None, {})
    before, after = (_load(app, cls, stream_id, each) for each in (start, end))
    if not before.version and not after.version:
        raise StreamNotFound(before.stream)
    return before, after


def _load(app: Application, cls: type[Aggregate[Any]], stream_id: str, bound: Mapping[str, Any]) -> Loaded[Any]:
    return app.store.load(cls, stream_id, moment(**bound))


def _show_difference(session: Session, before: Loaded[Any], after: Loaded[Any]) -> None:
    found = difference(before.state, after.state)
    if session.format is Format.TABLE:
        console().print(f"{before.stream}: version {before.version} -> {after.version}", markup=False)
        show_rows([coloured_row(each) for each in found], COLUMNS, session.format, empty="nothing changed")
        return
    if not found:
        warn(f"{before.stream}: nothing changed between versions {before.version} and {after.version}")
    versions = {"from_version": before.version, "to_version": after.version}
    show_rows([change_row(each) | versions for each in found], COLUMNS, session.format)
