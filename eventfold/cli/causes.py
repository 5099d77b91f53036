"""`eventfold causes`: what led to an event."""

import typer

from eventfold.cli.events import EventIdArgument
from eventfold.cli.links import DepthOption, asked_depth, show_links
from eventfold.cli.session import Session, command


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    example = "eventfold causes 019ad5c2-3e5f-7c1a-8b3e-0a4f5b6c7d8e"
    command(app, "causes", example=example, rich_help_panel=panel)(causes)


def causes(session: Session, event_id: EventIdArgument, *, depth: DepthOption = 10) -> None:
    """Show what caused an event, what caused that, and so on: the first cause on top.

    An event names its cause by its causation id. The first cause may be no event: a command that nobody gave a cause, or
    a message from outside.
    """
    links = session.application.causes(event_id, max_depth=asked_depth(depth))
    show_links(session, links, depth, 0, upwards=True)
