"""`eventfold streams`: the streams there are, and the events in one."""

import shlex
from typing import Annotated, Any

import typer

from eventfold.cli.noun import new_noun
from eventfold.cli.paging import LimitOption, page_size, show_page, with_one_more
from eventfold.cli.recorded import STREAM_COLUMNS, event_row
from eventfold.cli.session import Session, command
from eventfold.cli.table import number, word
from eventstore import StreamNotFound
from eventstore.backend import StreamInfo
from eventstore.recorded import to_datetime

LIST_COLUMNS = (
    word("stream"),
    number("version"),
    word("first_recorded_at", "first (UTC)", style="dim"),
    word("last_recorded_at", "last (UTC)", style="dim"),
    number("last_position", "at pos"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold streams list --category account")(list_streams)
    command(group, "show", example="eventfold streams show account-a-1 --backwards --limit 5")(show)
    app.add_typer(group, name="streams", help="List streams, or show the events in one.", rich_help_panel=panel)


def list_streams(
    session: Session,
    *,
    category: Annotated[
        str | None, typer.Option(metavar="CATEGORY", help="Only names that begin with this and a dash.")
    ] = None,
    after: Annotated[str, typer.Option(metavar="STREAM", help="Only names after this one.", show_default=False)] = "",
    limit: LimitOption = 100,
) -> None:
    """List the streams in the order of their names."""
    found = session.application.store.streams(category=category, after=after, limit=with_one_more(limit))
    show_page(
        (_row(each) for each in found),
        LIST_COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--after {shlex.quote(last['stream'])}",
        empty="no streams",
    )


def show(
    session: Session,
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream's whole name.", show_default=False)],
    *,
    backwards: Annotated[bool, typer.Option("--backwards", help="The newest first.")] = False,
    first: Annotated[
        int | None, typer.Option("--from", metavar="NUMBER", min=1, help="Begin with this version.", show_default=False)
    ] = None,
    limit: LimitOption = 100,
) -> None:
    """Show the events of a stream."""
    store = session.application.store
    if not store.stream_version(stream):
        raise StreamNotFound(stream)
    bounds: dict[str, Any] = {"up_to_version": first} if backwards else {"after_version": (first or 1) - 1}
    found = store.read_stream(stream, backwards=backwards, page_size=page_size(limit), **bounds)
    step = -1 if backwards else 1
    show_page(
        (event_row(each) for each in found),
        STREAM_COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--from {last['version'] + step}",
        empty=f"{stream} has no such versions",
    )


def _row(info: StreamInfo) -> dict[str, Any]:
    return {
        "stream": info.stream,
        "version": info.version,
        "first_recorded_at": to_datetime(info.first_recorded_us),
        "last_recorded_at": to_datetime(info.last_recorded_us),
        "last_position": info.last_position,
    }
