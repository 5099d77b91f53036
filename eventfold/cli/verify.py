"""`eventfold projections verify`: whether the rows are what the log makes of them."""

from typing import Annotated, Any

import typer

from eventfold.cli.completion import projection_names
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, builtin, word
from projections import Fault, Verified, verify
from projections.track import Track

COLUMNS = (
    word("target"),
    Column("key", whole=True),
    word("fault"),
    Column("field", needed=lambda row: row["field"] is not None),
    Column("stored", style="red"),
    Column("expected", style="green"),
    word("repaired"),
)


def verify_projection(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names)],
    *,
    sample: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, help="Compare only so many rows, chosen at random.")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend the rows that differ, and no others.")] = False,
) -> None:
    """Fold the log anew and compare the rows with what is stored.

    It ends with exit code 1 where a row differs that was not repaired. Workers and readers may go on meanwhile.
    """
    app = session.application
    rows, compared, broken = list[dict[str, Any]](), 0, 0
    with signals_interrupt():
        for track in app.engine.find(name):
            verified = _verify(session, track, sample, repair=repair)
            compared += verified.rows
            broken += sum(not each.repaired for each in verified.faults)
            rows += [row for fault in verified.faults for row in _rows(track, fault)]
    show_rows(rows, COLUMNS, session.format, empty=f"{compared} rows compared: none differs")
    if rows:
        warn(f"{compared} rows compared: {len({(each['target'], str(each['key'])) for each in rows})} differ")
    if broken:
        if not repair:
            warn(f"`eventfold projections verify {name} --repair` mends them; look for what has changed them first")
        raise typer.Exit(1)


def _verify(session: Session, track: Track, sample: int | None, *, repair: bool) -> Verified:
    store = session.application.store
    with bar(f"verify {track.name}") as shown:
        return verify(store, track, sample=sample, repair=repair, on_progress=shown.move)


def _rows(track: Track, fault: Fault) -> list[dict[str, Any]]:
    row = {"target": track.name, "key": builtin(fault.key), "fault": fault.kind, "field": None}
    row |= {"stored": None, "expected": None, "repaired": fault.repaired}
    changes = [{"field": each.field, "stored": each.before, "expected": each.after} for each in fault.differences]
    return [row | change for change in changes] or [row]
