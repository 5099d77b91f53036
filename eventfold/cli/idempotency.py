"""`eventfold idempotency`: the keys of commands that were done."""

from typing import Annotated, Any

import typer

from commands.idempotency.claim import Kept
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.paging import LimitOption
from eventfold.cli.session import Session, command
from eventfold.cli.table import Column, word
from eventstore import NotFound
from eventstore.recorded import to_datetime

COLUMNS = (
    Column("scope", needed=lambda row: bool(row["scope"])),
    Column("key"),
    word("command", style="cyan"),
    word("outcome"),
    word("kept_at", "kept (UTC)"),
    word("expires_at", "expires (UTC)"),
)


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold idempotency list --limit 20")(list_keys)
    command(group, "show", example="eventfold idempotency show req-7")(show_key)
    command(group, "forget", example="eventfold idempotency forget req-7")(forget_key)
    command(group, "prune", example="eventfold idempotency prune")(prune_keys)
    app.add_typer(
        group, name="idempotency", help="Look after the keys of commands that were done.", rich_help_panel=panel
    )


def list_keys(session: Session, *, limit: LimitOption = 100) -> None:
    """List the keys that have not expired, the newest first."""
    kept = session.application.parts.ledger.page(limit or None)
    show_rows([_row(each) for each in kept], COLUMNS, session.format, empty="no keys")


def show_key(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key.")],
    *,
    scope: Annotated[str, typer.Option(metavar="TEXT", help="Whose key it is, where keys have scopes.")] = "",
) -> None:
    """Show what the command under a key led to."""
    kept = _found(session, key, scope)
    outcome = kept.outcome
    record = _row(kept) | {"stream": outcome.stream, "event_ids": list(outcome.event_ids)}
    show_record(record | {"rejected": outcome.rejected}, session.format)


def forget_key(
    session: Session,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key.")],
    *,
    scope: Annotated[str, typer.Option(metavar="TEXT", help="Whose key it is, where keys have scopes.")] = "",
) -> None:
    """Forget a key before its time: a command that comes under it is done. What was done stays done."""
    kept = _found(session, key, scope)
    session.application.parts.ledger.table.remove([(scope, key)])
    show_record(_row(kept), session.format)


def prune_keys(session: Session) -> None:
    """Forget the keys that have expired. A worker does so by itself."""
    show_record({"pruned": session.application.parts.ledger.prune()}, session.format)


def _found(session: Session, key: str, scope: str) -> Kept:
    kept = session.application.parts.ledger.look(scope, key)
    if kept is None:
        whose = f" in scope {scope!r}" if scope else ""
        raise NotFound(f"no idempotency key {key!r}{whose} is kept; it was never used, or has expired")
    return kept


def _row(kept: Kept) -> dict[str, Any]:
    count = len(kept.outcome.event_ids)
    done = f"{count} event{'' if count == 1 else 's'}"
    return {
        "scope": kept.scope,
        "key": kept.key,
        "command": kept.command,
        "outcome": "rejected" if kept.outcome.rejected is not None else done,
        "kept_at": to_datetime(kept.kept_us),
        "expires_at": to_datetime(kept.expires_us),
    }
