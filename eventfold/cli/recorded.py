"""Events as rows: the same fields and columns wherever events are printed."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from eventfold.cli.output import Format, console, show_rows
from eventfold.cli.table import Column, builtin, number, plain, word
from eventstore import Recorded, UnknownEvent

LOG_COLUMNS = (
    number("position", "pos"),
    word("recorded_at", "recorded (UTC)", style="dim"),
    word("stream"),
    number("version", "ver"),
    word("type", style="cyan"),
    Column("data", below=True),
)
STREAM_COLUMNS = (
    number("version", "ver"),
    number("position", "pos"),
    word("occurred_at", "occurred (UTC)", style="dim"),
    word("type", style="cyan"),
    Column("data", below=True),
)


def event_row(recorded: Recorded[Any]) -> dict[str, Any]:
    """Everything that the log knows of an event."""
    event = recorded.event
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": recorded.type,
        "schema": recorded.schema,
        "sub_index": recorded.sub_index,
        "event_id": recorded.event_id,
        "recorded_at": recorded.recorded_at,
        "occurred_at": recorded.occurred_at,
        "correlation_id": recorded.correlation_id,
        "causation_id": recorded.causation_id,
        "tags": list(recorded.tags),
        "metadata": recorded.metadata,
        "data": builtin(event.data if isinstance(event, UnknownEvent) else event),
    }


def show_live(events: Iterable[Recorded[Any]], form: Format) -> None:
    """Prints each event as it comes: a line in a table's place, and a JSON array has no end, so json means jsonl."""
    if form is Format.TABLE:
        for recorded in events:
            console().print(_line(recorded), soft_wrap=True)
    else:
        rows: Iterator[dict[str, Any]] = (event_row(each) for each in events)
        show_rows(rows, LOG_COLUMNS, Format.JSONL if form is Format.JSON else form)


def _line(recorded: Recorded[Any]) -> Text:
    row = event_row(recorded)
    return Text.assemble(
        f"{row['position']:>8}  ",
        (plain(row["recorded_at"]), "dim"),
        f"  {row['stream']} {row['version']}  ",
        (row["type"], "cyan"),
        f"  {plain(row['data'])}",
    )
