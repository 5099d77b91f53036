"""`eventfold state`: an aggregate, now or as it was, and what changed between two moments."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from eventfold.application import Application
from eventfold.cli.changes import COLUMNS, change_row, coloured_row
from eventfold.cli.instants import moment_of
from eventfold.cli.moments import (
    AggregateArgument,
    AtOption,
    IdArgument,
    OccurredOption,
    PositionOption,
    VersionOption,
    bounds_of,
)
from eventfold.cli.output import Format, console, show_record, show_rows
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import builtin
from eventstore import Aggregate, Loaded
from eventstore.absence import stream_not_found
from eventstore.difference import difference
from eventstore.loading import moment


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "state", example="eventfold state Account a-1 --diff 3..7", rich_help_panel=panel)(state)


def state(
    session: Session,
    aggregate: AggregateArgument,
    stream_id: IdArgument,
    *,
    version: VersionOption = None,
    position: PositionOption = None,
    at: AtOption = None,
    occurred: OccurredOption = None,
    diff: Annotated[
        str | None, typer.Option(metavar="A..B", help="What changed from A to B; see above.", show_default=False)
    ] = None,
) -> None:
    """Show an aggregate, now or as it was, or what changed.

    INSTANT is a date or a date with a time, in UTC unless it says otherwise; a plain date means the end of that day. Several
    moments hold together: --at A --occurred B is what was known on day A about day B.

    In --diff, A and B are versions (3..7) or instants (2026-01-01..2026-01-31). With position: or occurred: in
    front they are that: occurred:1997-01-31..1997-06-30. Without A it begins before the first event, without B it ends now.
    The other options then hold for both: --occurred 1997-06-30 --diff 2026-01-01.. is what was learnt since about that time.
    """
    app = session.application
    cls = app.parts.aggregate(aggregate)
    bounds = bounds_of(version, position, at, occurred)
    if diff is None:
        loaded = app.load_with_version(cls, stream_id, **bounds)
        _warn_of_fewer(loaded, bounds)
        _show_state(session, loaded)
        return
    _show_difference(session, *_both(app, cls, stream_id, diff, bounds))


def _show_state(session: Session, loaded: Loaded[Any]) -> None:
    where = {"stream": loaded.stream, "version": loaded.version, "position": loaded.position}
    values = builtin(loaded.state)
    show_record(where | (values if session.format is Format.TABLE else {"state": values}), session.format)


def _both(
    app: Application, cls: type[Aggregate[Any]], stream_id: str, diff: str, bounds: Mapping[str, Any]
) -> tuple[Loaded[Any], Loaded[Any]]:
    first, dots, last = diff.partition("..")
    if not dots:
        usage_error(f"--diff: expected A..B, as in 3..7 or 2026-01-01..2026-01-31, got {diff!r}")
    kind, start = moment_of(first, "--diff") if first else (None, {"at_version": 0})
    _, end = moment_of(last, "--diff", kind) if last else (None, {})
    for name in bounds:
        if name in start or name in end:
            option = name.removeprefix("at_")
            usage_error(f"--{option}: --diff names that itself; leave one of them out")
    before, after = (_load(app, cls, stream_id, {**bounds, **each}) for each in (start, end))
    if not before.version and not after.version:
        if kind == "at" and app.store.stream_version(before.stream):
            warn("--diff A..B goes by when events were recorded; --diff occurred:A..B goes by when they occurred")
        raise stream_not_found(app.store.backend, before.stream)
    for loaded, given in ((before, start), (after, end)):
        _warn_of_fewer(loaded, {**bounds, **given})
    return before, after


def _warn_of_fewer(loaded: Loaded[Any], bounds: Mapping[str, Any]) -> None:
    """Says so where a version was asked for that the stream does not have yet."""
    asked = bounds.get("at_version", 0)
    if len(bounds) == 1 and loaded.version < asked:
        warn(f"{loaded.stream} has no version {asked} yet: this is version {loaded.version}, its last one")


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
