"""Events of a history: who and when as fields of a row, and a block with what changed for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eventfold.cli.changes import change_row, coloured_line
from eventfold.cli.table import Column, plain
from eventstore import Recorded, Step
from eventstore.history import actor_of

INDENT = 3


def event_fields(recorded: Recorded[Any] | None) -> dict[str, Any]:
    """Which event, when, and by whom; all None where there is no event."""
    if recorded is None:
        return dict.fromkeys(event_fields(_NOTHING))
    return {
        "stream": recorded.stream,
        "version": recorded.version,
        "position": recorded.position,
        "type": recorded.type,
        "sub_index": recorded.sub_index,
        "event_id": recorded.event_id,
        "recorded_at": recorded.recorded_at,
        "occurred_at": recorded.occurred_at,
        "actor": actor_of(recorded),
        "correlation_id": recorded.correlation_id,
        "causation_id": recorded.causation_id,
    }


_NOTHING: Recorded[Any] = Recorded(None, 0, "", 0, 0, "", 0, "")

STEP_COLUMNS = [Column(field) for field in (*event_fields(None), "changes")]
"""Of rows for programs, where there are none to tell their fields from."""


def step_row(step: Step[Any]) -> dict[str, Any]:
    """A step for programs."""
    return event_fields(step.recorded) | {"changes": [change_row(each) for each in step.changes]}


def step_block(step: Step[Any]) -> RenderableType:
    """A step for people: the event, who and when, and a line for each field that it changed."""
    changes = Table.grid(padding=(0, 2))
    changes.add_column(overflow="fold", max_width=30)
    changes.add_column(overflow="fold")
    for change in step.changes:
        changes.add_row(*coloured_line(change))
    what: RenderableType = changes if step.changes else Text("nothing changed", "dim")
    lines = [*_origin(step.recorded), what]
    return Group(headline(step.recorded), *(Padding(each, (0, 0, 0, INDENT), expand=False) for each in lines))


def headline(recorded: Recorded[Any], *, stream: bool = False) -> Text:
    """The event in one line: version, type, when it occurred, and who did it."""
    actor = actor_of(recorded)
    return Text.assemble(
        (f"{recorded.stream} " if stream else "", ""),
        (f"{recorded.version}  ", "bold"),
        (recorded.type, "bold cyan"),
        f"  {plain(recorded.occurred_at)}",
        f"  by {actor}" if actor is not None else "",
    )


def _origin(recorded: Recorded[Any]) -> list[Text]:
    """When it was recorded, its id, and what caused it."""
    lines = [f"recorded {plain(recorded.recorded_at)}  event {recorded.event_id}"]
    cause, conversation = recorded.causation_id, recorded.correlation_id
    if cause is not None and cause == conversation:
        lines.append(f"caused by {cause}, which began the conversation")
    else:
        lines += [f"caused by {cause}"] if cause is not None else []
        lines += [f"in conversation {conversation}"] if conversation is not None else []
    return [Text(each, "dim") for each in lines]
