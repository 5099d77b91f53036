"""`eventfold status`: how the log and its readers stand."""

from typing import Any

import typer

from eventfold.cli.output import show_record
from eventfold.cli.projections import STATUS_COLUMNS, status_rows
from eventfold.cli.reactions import STATUS_COLUMNS as REACTION_COLUMNS
from eventfold.cli.reactions import reaction_rows
from eventfold.cli.session import Session, command, warn
from eventfold.cli.table import builtin, number, word

STALLED_COLUMNS = (number("pid"), number("seconds"), number("position", "holds back"), word("state"))


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "status", example="eventfold status --format json", rich_help_panel=panel)(status)


def status(session: Session) -> None:
    """Show how the log and its readers stand.

    That is the database, the log's head, the projections and reactions with their lag, and stalled appends, which hold readers
    back, by the process that holds them open. It never migrates: where migrations are pending it names them, and looks at
    nothing that needs them.
    """
    app = session.application
    pending = app.parts.pending_migrations()
    with app.parts.open_unchecked() as store:
        record: dict[str, Any] = {"application": app.name, "database": store.backend.description}
    record |= {"pending_migrations": pending, "events": None, "head": None, "projections": []}
    record |= {"reactions": [], "stalled_appends": []}
    if pending:
        warn("migrations are pending: run `eventfold migrate`")
        if not any(name.startswith("eventstore/") for name in pending):  # the log itself is there
            with app.parts.open_unchecked() as store:
                record |= {"events": store.backend.count(), "head": store.head()}
    else:
        record |= {
            "events": app.store.backend.count(),
            "head": app.store.head(),
            "projections": status_rows(app),
            "reactions": reaction_rows(app),
            "stalled_appends": [builtin(each) for each in app.store.stalled_appends()],
        }
    tables = {"projections": STATUS_COLUMNS, "reactions": REACTION_COLUMNS, "stalled_appends": STALLED_COLUMNS}
    show_record(record, session.format, tables)
