"""`eventfold streams`: the streams there are, and the events in one."""

from typing import Annotated, Any

import typer

from eventfold.cli.output import Column, number, show_rows
from eventfold.cli.paging import LimitOption, shown
from eventfold.cli.recorded import STREAM_COLUMNS, event_row
from eventfold.cli.session import Session, command
from eventstore import StreamNotFound
from eventstore.backend import StreamInfo
from eventstore.recorded import to_datetime

LIST_COLUMNS = (
    Column("stream"),
    number("version"),
    Column("first_recorded_at", "first (UTC)", style="dim"),
    Column("last_recorded_at", "last (UTC)", style="dim"),
    number("last_position", "at pos"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = typer.Typer(no_args_is_help=True)
    command(group, "list", example="eventfold streams list --category account")(list_streams)
    command(group, "show", example="eventfold streams show account-a-1 --backwards --limit 5")(show)
    app.add_typer(group, name="streams", help="List streams, or show the events in one.", rich_help_panel=panel)


def list_streams(
    session: Session,
    *,
    category: Annotated[str | None, typer.Option(help="Only names that begin with this and a dash.")] = None,
    after: Annotated[str, typer.Option(metavar="STREAM", help="Only names after this one.", show_default=False)] = "",
    limit: LimitOption = 100,
) -> None:
    """List the streams in the order of their names."""
    found = session.application.store.streams(category=category, after=after, limit=limit + 1 if limit else None)
    rows = shown((_row(each) for each in found), limit, lambda last: f"--after {last['stream']}")
    show_rows(rows, LIST_COLUMNS, session.format, empty="no streams")


def show(
    session: Session,
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream's whole name.", show_default=False)],
    *,
    backwards: Annotated[bool, typer.Option("--backwards", help="The newest first.")] = False,
    first: Annotated[
        int | None, typer.Option("--from", min=1, help="Begin with this version.", show_default=False)
    ] = None,
    limit: LimitOption = 100,
) -> None:
    """Show the events of a stream."""
    store = session.application.store
    if not store.stream_version(stream):
        raise StreamNotFound(stream)
    bounds: dict[str, Any] = {"up_to_version": first} if backwards else {"after_version": (first or 1) - 1}
    found = store.read_stream(stream, backwards=backwards, limit=limit + 1 if limit else None, **bounds)
    step = -1 if backwards else 1
    rows = shown((event_row(each) for each in found), limit, lambda last: f"--from {last['version'] + step}")
    show_rows(rows, STREAM_COLUMNS, session.format, empty=f"{stream} has no such versions")


def _row(info: StreamInfo) -> dict[str, Any]:
    return {
        "stream": info.stream,
        "version": info.version,
        "first_recorded_at": to_datetime(info.first_recorded_us),
        "last_recorded_at": to_datetime(info.last_recorded_us),
        "last_position": info.last_position,
    }
