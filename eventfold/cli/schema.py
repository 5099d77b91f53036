"""`eventfold schema`: the shapes of events, kept in a lock, and held against it and against a real log."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.message_catalogue import messages_as_markdown
from eventfold.cli.noun import new_noun
from eventfold.cli.output import Format, console, put, show_rows
from eventfold.cli.progress import bar
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, number
from eventfold.known_messages import known_messages
from eventfold.schema_check import needed_by_category
from eventstore import InvalidInput, NotFound, UnreadableEvent
from eventstore.codec import Codec
from eventstore.schema.catalogue import as_asyncapi, as_json_schema, as_markdown
from eventstore.schema.check import check as check_lock
from eventstore.schema.check import unlocked
from eventstore.schema.lock import locked, read_lock, write_lock
from eventstore.schema.log_check import LogCheck, pages

LOCK_COLUMNS = (
    Column("type", style="cyan"),
    number("version"),
    number("shapes"),
    Column("fingerprint"),
    Column("state"),
)
PROBLEM_COLUMNS = (Column("type", style="cyan"), number("version"), Column("problem"))
LOG_COLUMNS = (Column("type", style="cyan"), number("schema"), number("events"), number("failed"), Column("problem"))

LockOption = Annotated[Path, typer.Option("--lock", metavar="FILE", help="The lock, committed with the code.")]
LOCK = Path("schema.lock.json")
WRITERS = {"markdown": as_markdown, "json-schema": as_json_schema, "asyncapi": as_asyncapi}


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "lock", example="eventfold schema lock")(lock)
    command(group, "check", example="eventfold schema check --against-log --sample 100000")(check)
    command(group, "docs", example="eventfold schema docs --as asyncapi --output asyncapi.json")(docs)
    app.add_typer(
        group, name="schema", help="Lock the shapes of events, and check what changed.", rich_help_panel=panel
    )


def lock(session: Session, *, lock: LockOption = LOCK) -> None:
    """Write the present shapes of all events to the lock.

    What it holds already stays, as history. Nothing is written if a locked shape could not be read any more.
    """
    parts = session.application.parts
    held, codec = read_lock(lock), Codec(parts.events)
    problems = check_lock(held, codec, parts.retired)
    if problems:
        raise UnreadableEvent(f"{problems[0].problem}. {lock.name} is as it was; `eventfold schema check` shows all")
    made = locked(held, parts.events)
    write_lock(lock, made)
    before = {(each.type, each.version): len(each.shapes) for each in held.events}
    rows = [
        {
            "type": each.type,
            "version": each.version,
            "shapes": len(each.shapes),
            "fingerprint": each.shapes[-1].fingerprint,
            "state": _state(before.get((each.type, each.version)), len(each.shapes)),
        }
        for each in made.events
    ]
    show_rows(rows, LOCK_COLUMNS, session.format, empty="the application has no events")
    if bare := [f"{each.type} {each.version}" for each in made.events if each.shapes[-1].example is None]:
        warn(f"no example could be made up for {', '.join(bare)}: write one into {lock.name} by hand, in place of null")


def _state(before: int | None, now: int) -> str:
    return "new" if before is None else "kept" if before == now else "added to"


def check(
    session: Session,
    *,
    lock: LockOption = LOCK,
    against_log: Annotated[bool, typer.Option("--against-log", help="Decode the real log instead.")] = False,
    sample: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=1, help="Of the log, only about so many events.", show_default=False),
    ] = None,
) -> None:
    """Find what could not be read once this code is deployed.

    Against the lock: every shape that was ever locked must read as events of today, and no field may be gone that the code deployed
    before needs. Additions with a default need nothing. Each problem comes with the draft of an upcaster.

    With --against-log every stored event is decoded as its readers would, and failures are counted by type and version. Nothing
    is written. Ends with exit code 1 if something cannot be read, or if a shape of this code is not locked yet.
    """
    if sample is not None and not against_log:
        usage_error("--sample goes with --against-log")
    if against_log:
        _check_log(session, sample)
    else:
        _check_lock(session, lock)


def _check_lock(session: Session, path: Path) -> None:
    parts = session.application.parts
    if not path.exists():
        raise NotFound(f"{path} does not exist; write it with `eventfold schema lock`, and commit it")
    held, codec = read_lock(path), Codec(parts.events)
    problems = check_lock(held, codec, parts.retired)
    drafts = list(dict.fromkeys(each.draft for each in problems if each.draft))
    rows = [
        {"type": each.type, "version": each.version, "field": each.field, "problem": each.problem, "draft": draft}
        for each, draft in zip(problems, _once(each.draft for each in problems), strict=True)
    ]
    show_rows(rows, PROBLEM_COLUMNS, session.format, empty="every shape that was ever locked reads")
    if session.format is Format.TABLE:
        _show_drafts(drafts)
    if fresh := unlocked(held, codec):
        warn(f"not locked yet: {', '.join(fresh)}; run `eventfold schema lock`, and commit {path.name}", style="red")
    if problems or fresh:
        raise typer.Exit(1)


def _show_drafts(drafts: Sequence[str]) -> None:
    from rich.syntax import Syntax  # only here, because it brings a highlighter that every command would wait for

    for draft in drafts:
        console().print("\nA draft to begin with:\n", style="bold")
        put(Syntax(draft, "python", background_color="default", word_wrap=True))


def _once(drafts: Iterable[str | None]) -> Iterator[str | None]:
    """Each draft where it comes first, and None in the place of its repetitions."""
    seen: set[str | None] = set()
    for each in drafts:
        yield None if each in seen else each
        seen.add(each)


def _check_log(session: Session, sample: int | None) -> None:
    parts = session.application.parts
    work = LogCheck(Codec(parts.events), needed_by_category(parts))
    backend = session.application.store.backend
    head, events = backend.horizon(), 0
    with signals_interrupt(), bar("decoding the log") as progress:
        for rows in pages(backend, sample):
            work.add(rows)
            events += len(rows)
            progress.move(rows[-1][0] if rows else head, head, events)
    rows_found: list[dict[str, Any]] = [
        {
            "type": each.type,
            "schema": each.schema,
            "events": each.events,
            "failed": each.failed,
            "position": each.position,
            "problem": each.problem,
        }
        for each in work.result
    ]
    show_rows(rows_found, LOG_COLUMNS, session.format, empty="no events")
    if failed := sum(each.failed for each in work.result):
        warn(f"{failed:,} of {events:,} events cannot be read", style="red")
        raise typer.Exit(1)


def docs(
    session: Session,
    *,
    form: Annotated[str, typer.Option("--as", metavar="KIND", help="markdown, json-schema or asyncapi.")] = "markdown",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
) -> None:
    """Print the catalogue of events: what each means, its fields, its versions.

    As Markdown for people, with the messages for other services and of them, as far as annotations name them; as JSON Schema, or
    as an AsyncAPI 3 document, of the events alone.
    """
    if session.format is not Format.TABLE:
        usage_error(f"--format: this prints a document, and no rows; --as names its kind: {', '.join(WRITERS)}")
    if form not in WRITERS:
        usage_error(f"--as: expected one of {', '.join(WRITERS)}, got {form!r}")
    title, parts = session.application.name, session.application.parts
    text = WRITERS[form](title, parts.events)
    if form == "markdown" and (messages := known_messages(parts)):
        text += f"\n\n{messages_as_markdown(title, messages)}"
    if output is None:
        print(text)  # noqa: T201 - data goes to stdout undecorated
    else:
        try:
            output.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"--output: {output} cannot be written: {error.strerror}") from error
        warn(f"wrote {output}", style="green")
