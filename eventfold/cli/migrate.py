"""`eventfold migrate`: brings the database's tables to the newest version."""

from typing import Annotated

import typer

from eventfold.cli.output import show_rows
from eventfold.cli.session import Session, command
from eventfold.cli.table import word

COLUMNS = (word("migration"), word("state"))


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "migrate", example="eventfold migrate --dry-run", rich_help_panel=panel)(migrate)


def migrate(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")] = False,
) -> None:
    """Make or update the tables of the log and the projections."""
    parts = session.application.parts
    names, state = (parts.pending_migrations(), "pending") if dry_run else (parts.migrate(), "applied")
    rows = [{"migration": name, "state": state} for name in names]
    show_rows(rows, COLUMNS, session.format, empty="nothing to migrate: the tables are up to date")
