"""`eventfold events`: the log, as it is and as it grows."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import typer

from eventfold.cli.instants import since as since_instant
from eventfold.cli.instants import until as until_instant
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record
from eventfold.cli.paging import LimitOption, page_size, show_page
from eventfold.cli.recorded import LOG_COLUMNS, event_row, show_live
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import signals_interrupt

CategoryOption = Annotated[
    str | None, typer.Option(metavar="CATEGORY", help="Only of streams of this category.", show_default=False)
]
StreamOption = Annotated[str | None, typer.Option(metavar="STREAM", help="Only of this stream.", show_default=False)]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Only of this type, or one of several.")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag, or all of several.")
]
EventIdArgument = Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id, a UUID.", show_default=False)]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold events list --type Withdrawn --since 2026-01-31")(list_events)
    command(group, "show", example="eventfold events show 019ad5c2-3e5f-7c1a-8b3e-0a4f5b6c7d8e")(show)
    command(group, "tail", example="eventfold events tail --category account --format jsonl")(tail)
    app.add_typer(group, name="events", help="List events, show one, or follow the log.", rich_help_panel=panel)


def list_events(
    session: Session,
    *,
    after: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Only after this position.", show_default=False)
    ] = None,
    category: CategoryOption = None,
    type_: TypeOption = None,
    tag: TagOption = None,
    stream: StreamOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Recorded then or later; a plain date: from its beginning.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Recorded then or before; a plain date: to its end.")
    ] = None,
    backwards: Annotated[
        bool, typer.Option("--backwards", help="The newest first; --after is then the position to go back from.")
    ] = False,
    limit: LimitOption = 100,
) -> None:
    """List the events of the log.

    Instants are dates or dates with times, such as 2026-01-31T14:30, in UTC unless they say otherwise.
    """
    bounds: dict[str, Any] = {"after": after or 0}
    if backwards:
        bounds = {"up_to": None if after is None else after - 1}
    found = session.application.store.read_log(
        **bounds,
        **_filters(category, stream, type_, tag),
        since=since_instant(since, "--since") if since is not None else None,
        until=until_instant(until, "--until") if until is not None else None,
        backwards=backwards,
        page_size=page_size(limit),
    )
    show_page(
        (event_row(each) for each in found),
        LOG_COLUMNS,
        session.format,
        limit=limit,
        how_to_go_on=lambda last: f"--after {last['position']}",
        empty="no events",
    )


def show(
    session: Session,
    event_id: EventIdArgument,
) -> None:
    """Show everything that the log knows of one event."""
    show_record(event_row(session.application.store.event(event_id)), session.format)


def tail(
    session: Session,
    *,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the first event.")] = False,
    after: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Begin after this position.", show_default=False)
    ] = None,
    category: CategoryOption = None,
    type_: TypeOption = None,
    tag: TagOption = None,
    stream: StreamOption = None,
    count: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, help="End after so many events.", show_default=False)
    ] = None,
) -> None:
    """Print events as they are appended, by whichever process, until Ctrl-C.

    Without --from-start or --after it begins with the next new event. A table's place is taken by one line for each
    event; json is printed as jsonl, because a list that never ends is no JSON.
    """
    if from_start and after is not None:
        usage_error("give either --from-start or --after")
    app = session.application
    start = 0 if from_start else after if after is not None else app.store.head()
    following = app.subscribe(after=start, **_filters(category, stream, type_, tag))
    with suppress(KeyboardInterrupt), signals_interrupt(), following as events:
        warn(f"following the log after position {start}; Ctrl-C ends it")
        chosen: Iterable[Any] = events if count is None else islice(events, count)
        show_live(chosen, session.format)


def _filters(
    category: str | None, stream: str | None, types: list[str] | None, tags: list[str] | None
) -> dict[str, Any]:
    return {"category": category, "stream": stream, "types": types or (), "tags": tags or ()}
