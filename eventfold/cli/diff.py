"""`eventfold diff`: what changed in a row of a read model, and by which event."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from eventfold.cli.changes import COLUMNS, change_row, coloured_row
from eventfold.cli.completion import model_names
from eventfold.cli.fields import read_value
from eventfold.cli.instants import moment_of
from eventfold.cli.output import Format, show_rows
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import Column, number, word
from eventstore import Difference
from projections import FieldChange
from projections.model import model_of

_BY = (number("position", "pos"), word("type", style="cyan"), Column("stream"))


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    example = "eventfold diff Balance a-1 --from 2026-01-01 --to 2026-01-31"
    command(app, "diff", example=example, rich_help_panel=panel)(diff)


def diff(
    session: Session,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Its class name, or its projection's.", autocompletion=model_names)
    ],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The row under this key.", show_default=False)],
    *,
    first: Annotated[
        str, typer.Option("--from", metavar="MOMENT", help="The one moment; before the first event by default.")
    ] = "position:0",
    last: Annotated[
        str | None, typer.Option("--to", metavar="MOMENT", help="The other one; now by default.", show_default=False)
    ] = None,
) -> None:
    """Show what changed in a row between two moments, field by field, and the event that last changed each.

    MOMENT is an instant (2026-01-31, or with a time; a plain date means the end of that day), occurred:INSTANT for what had
    happened by then, or a position of the log: position:120.
    """
    app = session.application
    cls: Any = app.parts.model(model)
    kind, start = _moment("--from", first)
    end = {} if last is None else _moment("--to", last, kind)[1]
    found = app.diff(cls, read_value(key, model_of(cls).key.type), start, end)
    if session.format is Format.TABLE:
        rows = [coloured_row(_difference(each)) | _by(each) for each in found]
        show_rows(rows, (*COLUMNS, *_BY), session.format, empty="nothing changed")
        return
    if not found:
        warn(f"{cls.__name__} {key}: nothing changed between the two moments")
    show_rows([change_row(_difference(each)) | _event(each) for each in found], (*COLUMNS, *_BY), session.format)


def _moment(option: str, text: str, kind: str | None = None) -> tuple[str, Mapping[str, Any]]:
    found, bound = moment_of(text, option, None if kind == "position" else kind)
    if found == "version":
        usage_error(f"{option}: a row has no versions; expected an instant, or position:NUMBER, got {text!r}")
    return found, bound


def _difference(change: FieldChange) -> Difference:
    path = change.path or ("(the row)",)
    return Difference(path, change.change, change.before, change.after)


def _event(change: FieldChange) -> dict[str, Any]:
    by = change.recorded
    if by is None:
        return {"position": None, "type": None, "stream": None, "event_id": None}
    return {"position": by.position, "type": by.type, "stream": by.stream, "event_id": by.event_id}


def _by(change: FieldChange) -> dict[str, Text]:
    found = _event(change)
    return {name: Text("" if found[name] is None else str(found[name])) for name in ("position", "type", "stream")}
