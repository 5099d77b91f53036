"""`eventfold log`: copying the log into another database, unchanged or transformed."""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.migrations import make_or_check
from eventstore import InvalidInput, open_store
from eventstore.log_copy import copy_log
from eventstore.log_proof import CopyStep
from eventstore.log_transform import Transform
from eventstore.sql_database import SqlDatabase

PREFIX = "eventfold_"


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "copy", example="eventfold log copy postgresql://user@host/shop --transform app.moves:rename")(copy)
    app.add_typer(group, name="log", help="Copy the log into another database.", rich_help_panel=panel)


def copy(
    session: Session,
    target: Annotated[
        str, typer.Argument(metavar="TARGET_URL", help="An empty database, or the same copy again.", show_default=False)
    ],
    *,
    transform: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="From each event to what becomes of it.", show_default=False),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Of the target's tables.")] = PREFIX,
    schema: Annotated[str | None, typer.Option(help="The target's PostgreSQL schema.", show_default=False)] = None,
) -> None:
    """Copy every event into another database, and prove it by reading both.

    Without --transform the copy is the same: positions, versions, ids, instants, tags and metadata. Tables of read models are not
    copied; rebuild them there.

    Ctrl-C ends it with exit code 1; the same command goes on from there. One that was finished takes in what has come since.
    """
    source = session.application.store
    function = None if transform is None else _load(transform)
    begun, new = time.monotonic(), 0
    with open_store(target, migrate=True, prefix=prefix, schema=schema) as store, signals_interrupt():
        _refuse_itself(source.backend.sql, store.backend.sql)
        make_or_check(store, migrate=True)
        try:
            with bar("copy and verify") as shown:

                def show(step: CopyStep) -> None:
                    nonlocal new
                    new = step.events if step.phase == "copy" else new
                    before = step.head if step.phase == "verify" else 0
                    shown.move(before + step.position, 2 * step.head, step.events)

                copied = copy_log(source, store, function, name=transform or "", on_progress=show)
        except KeyboardInterrupt:
            warn("interrupted. The same command goes on from there.")
            raise typer.Exit(1) from None
    seconds = round(time.monotonic() - begun, 3)
    record = {"target": store.backend.description, **_fields(copied), "read_by_this_run": new, "seconds": seconds}
    show_record(record, session.format)
    if named := _named(prefix, schema):
        warn(
            f"look at it with --database 'TARGET_URL?{urlencode(named)}'; in code, Application(url, {_keywords(named)})"
        )


def _refuse_itself(source: SqlDatabase | None, target: SqlDatabase | None) -> None:
    if source is not None and target is not None and _place(source) == _place(target):
        raise InvalidInput(f"{target.description}: source and target are the same log; name another database")


def _place(database: SqlDatabase) -> tuple[object, ...]:
    url = database.engine.url
    name = Path(url.database).resolve() if database.dialect == "sqlite" and url.database else url.database
    return database.dialect, url.host, url.port, name, database.prefix, database.schema


def _named(prefix: str, schema: str | None) -> dict[str, str]:
    """Where the target's tables are, if not where they are by default."""
    named = {"prefix": "" if prefix == PREFIX else prefix, "schema": schema or ""}
    return {name: value for name, value in named.items() if value}


def _keywords(options: dict[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in options.items())


def _fields(copied: Any) -> dict[str, Any]:
    return {name: getattr(copied, name) for name in copied.__struct_fields__}


def _load(name: str) -> Transform:
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        usage_error(f"--transform: expected module:function, as in app.moves:rename, got {name!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # noqa: BLE001 - a module may fail in any way, and it is the user's
        usage_error(f"--transform: {name!r}: importing {module} failed: {type(error).__name__}: {error}")
    if not callable(found):
        what = "has no" if found is None else f"has an object {attribute!r} of {type(found).__name__}, and no"
        usage_error(f"--transform: {name!r}: {module} {what} function {attribute!r}")
    return found
