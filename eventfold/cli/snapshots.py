"""`eventfold snapshots`: how the snapshots stand, building them, throwing them away, and proving them by replay."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from eventfold.application import Application
from eventfold.cli.changes import COLUMNS as CHANGE_COLUMNS
from eventfold.cli.changes import change_row, coloured_row
from eventfold.cli.completion import aggregate_names
from eventfold.cli.noun import new_noun
from eventfold.cli.output import Format, show_rows
from eventfold.cli.paging import LimitOption
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, command, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, number, word
from eventfold.parts import KNOWN_AGGREGATES
from eventstore import Aggregate, DefinitionError
from eventstore.absence import stream_not_found
from eventstore.aggregate import category_of, policy_of
from eventstore.recorded import to_datetime
from eventstore.snapshot_keeping import Verified, build, prune, snapshot_status, table_of, verify
from eventstore.stream import stream_name

STATUS_COLUMNS = (
    word("aggregate"),
    Column("policy"),
    number("streams"),
    number("snapshots"),
    Column("outdated", right=True, whole=True, needed=lambda row: bool(row["outdated"])),
    Column("ahead", right=True, whole=True, needed=lambda row: bool(row["ahead"])),
    number("size", "characters"),
    word("newest", "newest (UTC)"),
)
BUILD_COLUMNS = (word("aggregate"), number("streams"), number("written"), number("failed"))
PRUNE_COLUMNS = (word("aggregate"), number("deleted"))
VERIFY_COLUMNS = (word("stream"), number("version"), *CHANGE_COLUMNS)

AggregateArgument = Annotated[
    str | None,
    typer.Argument(metavar="AGGREGATE", help="Its class name or category.", autocompletion=aggregate_names),
]
IdArgument = Annotated[str | None, typer.Argument(metavar="ID", help="Only this one.", show_default=False)]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "status", example="eventfold snapshots status")(status)
    command(group, "build", example="eventfold snapshots build Account")(build_snapshots)
    command(group, "prune", example="eventfold snapshots prune")(prune_snapshots)
    command(group, "verify", example="eventfold snapshots verify Account a-1")(verify_snapshots)
    app.add_typer(group, name="snapshots", help="Look after the snapshots of long streams.", rich_help_panel=panel)


def status(session: Session) -> None:
    """Show the snapshots of every aggregate that has any.

    Loads pass over those that are outdated (folded by other code) or ahead (of an event that the log does not hold).
    """
    app = session.application
    rows = [
        {
            "aggregate": each.aggregate,
            "policy": _policy(each.every, each.slower_than, each.keep),
            "streams": each.streams,
            "snapshots": each.snapshots,
            "outdated": each.outdated,
            "ahead": each.ahead,
            "size": each.size,
            "newest": None if each.taken_us is None else to_datetime(each.taken_us),
        }
        for each in snapshot_status(app.store, app.parts.aggregates)
    ]
    show_rows(rows, STATUS_COLUMNS, session.format, empty=_NONE)


def build_snapshots(
    session: Session,
    aggregate: AggregateArgument = None,
    stream_id: IdArgument = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also of streams that are shorter than the policy's `every`.")
    ] = False,
) -> None:
    """Take a snapshot of every stream for which its policy wants one: after `every` so many events since the last one.

    With an ID, or under a policy without `every`, after any event.

    Ctrl-C ends it with exit code 1; the next time it goes on from there.
    """
    app = session.application
    chosen = _chosen(app, aggregate)
    if stream_id is not None:
        rows = [_build_one(app, chosen[0], stream_id)]
    else:
        with signals_interrupt():
            rows = [_build(app, each, everything=everything) for each in chosen]
    show_rows(rows, BUILD_COLUMNS, session.format, empty=_NONE)
    if any(row["failed"] for row in rows):
        raise typer.Exit(1)


def prune_snapshots(
    session: Session,
    aggregate: AggregateArgument = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that loads use.")] = False,
) -> None:
    """Delete snapshots that no load uses: outdated ones, and those ahead of the log. Nothing is lost by it.

    Processes that still run other code use the ones that are outdated here; they fold from the beginning then.
    """
    app = session.application
    chosen = [app.parts.aggregate(aggregate)] if aggregate is not None else app.parts.aggregates
    rows = [{"aggregate": each.__name__, "deleted": prune(app.store, [each], everything=everything)} for each in chosen]
    show_rows([row for row in rows if row["deleted"]], PRUNE_COLUMNS, session.format, empty="nothing to delete")


def verify_snapshots(
    session: Session, aggregate: AggregateArgument = None, stream_id: IdArgument = None, *, limit: LimitOption = 100
) -> None:
    """Replay the events of every snapshot that loads use, and list what differs, by stream and field.

    `before` is what the snapshot says, `after` what the events say. Exit code 1 if anything differs.
    """
    app = session.application
    with signals_interrupt():
        found = [(each, result) for each in _chosen(app, aggregate) for result in _verify(app, each, stream_id)]
    differing = [(each, result) for each, result in found if result.differences]
    table = session.format is Format.TABLE
    rows = [
        {"stream": result.stream, "version": result.version, **(coloured_row(each) if table else change_row(each))}
        for _, result in differing
        for each in result.differences
    ]
    count = sum(result.in_log for _, result in found)
    shown = rows[:limit] if limit else rows
    show_rows(shown, VERIFY_COLUMNS, session.format, empty=f"{counted(count)} verified: none differs")
    if len(shown) < len(rows):
        warn(f"there are {len(rows) - len(shown):,} more differences: see all with --limit 0")
    if passed := _passed_over(app, aggregate) if stream_id is None else 0:
        warn(f"{counted(passed)} passed over: outdated, or ahead of the log, as loads pass over them")
    if differing:
        names = ", ".join(dict.fromkeys(each.__name__ for each, _ in differing))
        warn(
            f"{len(differing)} of {counted(count)} differ from what their events give. If `evolve` has changed, raise "
            f"`version=` of {names}; `eventfold snapshots prune --all` deletes them.",
            style="red",
        )
        raise typer.Exit(1)


_NONE = (
    "no aggregate that the application knows has snapshots: declare `snapshots=SnapshotPolicy(every=100)` on its class; "
    f"{KNOWN_AGGREGATES}"
)


def counted(snapshots: int) -> str:
    """How many snapshots, for people."""
    return "1 snapshot" if snapshots == 1 else f"{snapshots:,} snapshots"


def _passed_over(app: Application, aggregate: str | None) -> int:
    return sum(each.outdated + each.ahead for each in snapshot_status(app.store, _chosen(app, aggregate)))


def _policy(every: int | None, slower_than: float | None, keep: int) -> str:
    parts = [
        f"every {every}" if every is not None else "",
        f"slower than {slower_than:g} s" if slower_than is not None else "",
    ]
    return ", ".join(filter(None, [*parts, f"keep {keep}" if keep > 1 else ""])) or "on demand"


def _chosen(app: Application, name: str | None) -> Sequence[type[Aggregate[Any]]]:
    if name is None:
        return [each for each in app.parts.aggregates if policy_of(each) is not None]
    aggregate = app.parts.aggregate(name)
    if policy_of(aggregate) is None:
        raise DefinitionError(
            f"{aggregate.__name__} has no snapshots: declare `snapshots=SnapshotPolicy()` on its class"
        )
    return [aggregate]


def _build_one(app: Application, aggregate: type[Aggregate[Any]], stream_id: str) -> dict[str, Any]:
    stream = stream_name(category_of(aggregate), stream_id)
    version, written = app.store.snapshots.take(aggregate, stream)
    if version == 0:
        raise stream_not_found(app.store.backend, stream)
    return {"aggregate": aggregate.__name__, "streams": 1, "written": int(written), "failed": 0}


def _build(app: Application, aggregate: type[Aggregate[Any]], *, everything: bool) -> dict[str, Any]:
    total, row = sum(1 for _ in app.store.streams(category=category_of(aggregate))), Counter[str]()
    try:
        with bar(f"build {aggregate.__name__}", unit="streams") as shown:
            for each in build(app.store, aggregate, everything=everything):
                row.update(streams=1, written=int(each.written), failed=int(each.problem is not None))
                if each.problem is not None:
                    warn(f"{each.stream}: {each.problem}", style="red")
                shown.move(row["streams"], total)
    except KeyboardInterrupt:
        warn(
            f"interrupted after {row['streams']} of {total} streams. `eventfold snapshots build {aggregate.__name__}` goes "
            "on from there."
        )
        raise typer.Exit(1) from None
    return {"aggregate": aggregate.__name__, **{key: row[key] for key in ("streams", "written", "failed")}}


def _verify(app: Application, aggregate: type[Aggregate[Any]], stream_id: str | None) -> list[Verified]:
    stream = stream_name(category_of(aggregate), stream_id) if stream_id is not None else None
    if stream is not None and not app.store.stream_version(stream):
        raise stream_not_found(app.store.backend, stream)
    total = sum(each.snapshots for each in table_of(app.store).counts() if each.aggregate == aggregate.__name__)
    found: list[Verified] = []
    try:
        with bar(f"verify {aggregate.__name__}", unit="snapshots") as shown:
            for each in verify(app.store, aggregate, stream):
                found.append(each)
                shown.move(len(found), total if stream is None else len(found))
    except KeyboardInterrupt:
        warn(f"interrupted after {len(found)} snapshots")
        raise typer.Exit(1) from None
    return found
