"""`eventfold views`: reporting views, how they stand, and refreshing those whose rows are kept."""

from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from eventfold.application import Application
from eventfold.cli.completion import view_names
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_rows
from eventfold.cli.session import Session, command, usage_error
from eventfold.cli.table import Column, number, word

COLUMNS = (
    word("view"),
    word("state"),
    Column("tables"),
    number("position"),
    number("lag"),
    Column("events_behind", "behind", right=True, whole=True, needed=lambda row: row["events_behind"] > 0),
    Column("refreshed_at", "refreshed (UTC)", whole=True, needed=lambda row: row["materialized"]),
    Column("refresh_seconds", "took", right=True, whole=True, needed=lambda row: row["materialized"]),
    Column("refresh", whole=True, needed=lambda row: row["refresh"] is not None),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
REFRESH_COLUMNS = (word("view"), word("done"), number("position"), number("refresh_seconds", "took"))
EMPTY = "the application has no reporting views"


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold views list --format json")(list_views)
    command(group, "refresh", example="eventfold views refresh revenue")(refresh)
    app.add_typer(group, name="views", help="List and refresh reporting views.", rich_help_panel=panel)


def list_views(session: Session) -> None:
    """Show where each reporting view stands, and when its rows were computed.

    A view that waits shows what it showed before: one of its tables is not there yet, or was made by another version of the code.
    """
    show_rows(_rows(session.application), COLUMNS, session.format, empty=EMPTY)


def refresh(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The view.", autocompletion=view_names, show_default=False)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Compute the rows of a materialised view anew, and make a view that is missing or was changed.

    Readers see the former rows until the new ones are there. A view that is named is made of this code's SQL also where a newer
    version of the code has made it of other SQL.
    """
    if every == (name is not None):
        usage_error("name one view, or give --all")
    app, rows = session.application, []
    chosen = list(app.engine.views.values()) if name is None else [app.engine.find_view(name)]
    for view in chosen:
        refreshed = view.refresh(back=name is not None)
        stands = next(each for each in _rows(app) if each["view"] == view.name)
        rows.append({**stands, "done": "refreshed" if refreshed else _undone(stands)})
    fields = ("view", "done", "position", "refresh_seconds")
    show_rows([{each: row[each] for each in fields} for row in rows], REFRESH_COLUMNS, session.format, empty=EMPTY)


def _undone(stands: dict[str, Any]) -> str:
    if stands["state"] == "outdated":
        return "kept by newer code"
    return "waits for its tables" if stands["state"] == "waiting" else "nothing to refresh"


def _rows(app: Application) -> list[dict[str, Any]]:
    return [asdict(each) for each in app.views()]
