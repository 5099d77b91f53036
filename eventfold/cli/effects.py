"""`eventfold effects`: what an event led to."""

from typing import Annotated

import typer

from eventfold.cli.links import DepthOption, asked_depth, show_links
from eventfold.cli.paging import LimitOption
from eventfold.cli.session import Session, command

IdArgument = Annotated[
    str, typer.Argument(metavar="EVENT_ID", help="Its id, or that of a command or message.", show_default=False)
]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    example = "eventfold effects 019ad5c2-3e5f-7c1a-8b3e-0a4f5b6c7d8e --depth 1"
    command(app, "effects", example=example, rich_help_panel=panel)(effects)


def effects(session: Session, event_id: IdArgument, *, depth: DepthOption = 10, limit: LimitOption = 100) -> None:
    """Show what an event caused, what that caused, and so on.

    An event names its cause by its causation id. The id of a command or of a message from outside, which is no event, may be
    asked about as well.
    """
    links = session.application.effects(event_id, max_depth=asked_depth(depth))
    show_links(session, links, depth, limit, upwards=False)
