"""`eventfold dispatch`: sends a command."""

import asyncio
import sys
from typing import Annotated, Any

import typer

from commands import Receipt, read_command
from eventfold.application import Application
from eventfold.cli.completion import command_names
from eventfold.cli.fields import read_fields, read_metadata, read_object
from eventfold.cli.instants import HELP, since
from eventfold.cli.output import show_record
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, builtin, word
from eventstore.query import type_name


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "dispatch", example="eventfold dispatch Withdraw account_id=a-1 amount=20", rich_help_panel=panel)(
        dispatch
    )


def dispatch(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="COMMAND", help="The command's class name.", autocompletion=command_names)
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE", help="Its fields; lists and objects as JSON.", show_default=False),
    ] = None,
    *,
    json: Annotated[str | None, typer.Option(metavar="OBJECT", help="Its fields as JSON; - reads stdin.")] = None,
    correlation_id: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The conversation that it belongs to.")
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Stored beside its events.")] = None,
    occurred_at: Annotated[str | None, typer.Option(metavar="INSTANT", help=f"When it happened. {HELP}")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sent again under this key, it is answered and not done again.")
    ] = None,
) -> None:
    """Send a command, and print its receipt.

    It is validated, decided, and its events are appended. A command that the decision rejects, or whose fields are faulty,
    stores nothing and ends with exit code 1.
    """
    cls = session.application.parts.command(name)
    given = dict(read_object(sys.stdin.read() if json == "-" else json)) if json is not None else {}
    message = read_command(cls, given | read_fields(fields or [], cls))
    options = {
        "correlation_id": correlation_id,
        "idempotency_key": idempotency_key,
        "metadata": read_metadata(metadata or []) or None,
        "occurred_at": since(occurred_at, "--occurred-at") if occurred_at is not None else None,
    }
    show_record(_record(_send(session, message, options)), session.format, {"events": (word("type"), Column("data"))})


def _send(session: Session, message: Any, options: dict[str, Any]) -> Receipt:
    declared = session.declared
    if isinstance(declared, Application):
        return declared.dispatch(message, **options)
    return asyncio.run(declared.dispatch(message, **options))  # through its own, async middleware


def _record(receipt: Receipt) -> dict[str, Any]:
    return {
        "stream": receipt.stream,
        "version": receipt.version,
        "position": receipt.position,
        "token": receipt.token,
        "versions": receipt.versions,
        "events": [{"type": type_name(type(each)), "data": builtin(each)} for each in receipt.events],
    }
