"""`eventfold commands`: what can be sent, with its fields, its handler and the events it may lead to."""

import inspect
from typing import Annotated, Any

import typer
from rich.text import Text

from commands import Handler
from commands.fields import fields_of
from commands.message import message_type
from eventfold.cli.completion import command_names
from eventfold.cli.noun import new_noun
from eventfold.cli.output import Format, put, show_record, show_rows
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, word
from eventstore.event import event_type

COLUMNS = (
    word("command", style="cyan"),
    Column("fields"),
    word("handler"),
    Column("events", needed=lambda row: bool(row["events"])),
    Column("messages", needed=lambda row: bool(row["messages"])),
)
FIELD_COLUMNS = (word("name"), Column("type"), word("required"), Column("default"))


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold commands list")(list_commands)
    command(group, "show", example="eventfold commands show Withdraw")(show_command)
    app.add_typer(group, name="commands", help="See what can be sent.", rich_help_panel=panel)


def list_commands(session: Session) -> None:
    """List the commands, each with its fields, its handler, and the events and messages that the handler's annotation names.

    Below the table stands the way that each command goes, from the outside to the decision.
    """
    way = session.declared.pipeline
    handlers = sorted(session.application.parts.handlers, key=lambda each: each.command.__name__)
    table = session.format is Format.TABLE
    rows = [_row(each) | ({"fields": _in_words(each)} if table else {"pipeline": list(way)}) for each in handlers]
    if show_rows(rows, COLUMNS, session.format, empty="no commands") and table:
        put(Text.assemble("\n", ("each goes through", "bold"), f" {' > '.join(way)}"))


def show_command(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="COMMAND", help="The command's class name.", autocompletion=command_names)
    ],
) -> None:
    """Show a command, field by field."""
    parts = session.application.parts
    cls = parts.command(name)
    handler = next(each for each in parts.handlers if each.command is cls)
    said = {"description": text} if (text := inspect.cleandoc(vars(cls).get("__doc__") or "")) else {}
    row = _row(handler)
    record = {"command": row["command"], **said, "handler": row["handler"]}
    record |= {"events": row["events"], "messages": row["messages"]}
    record |= {"fields": row["fields"], "pipeline": list(session.declared.pipeline)}
    show_record(record, session.format, {"fields": FIELD_COLUMNS})


def _row(handler: Handler[..., Any]) -> dict[str, Any]:
    return {
        "command": handler.command.__name__,
        "fields": [
            {"name": each.name, "type": each.type, "required": each.required, "default": each.default}
            for each in fields_of(handler.command)
        ],
        "handler": f"{handler.__wrapped__.__module__}.{handler.name}",
        "events": [event_type(each) for each in handler.yields],
        "messages": [message_type(each) for each in handler.tells],
    }


def _in_words(handler: Handler[..., Any]) -> str:
    return ", ".join(f"{each.name}{'' if each.required else '?'}: {each.type}" for each in fields_of(handler.command))
