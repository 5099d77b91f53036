"""`eventfold projections parked`: events that a row could not take, and what is done about them."""

from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import asdict

from eventfold.application import Application
from eventfold.cli.completion import projection_names
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import Column, builtin, number, word
from eventstore import NotFound
from eventstore.backend import LogFilter
from eventstore.recorded import to_datetime
from projections.mending import parked_of, waiting

_TARGET = Column("target", whole=True, needed=lambda row: row["target"] != row["projection"])
_ERROR = Column("error", style="red")
LIST_COLUMNS = (
    word("projection"),
    _TARGET,
    word("key"),
    number("position", "from"),
    number("events"),
    number("attempts"),
    word("parked_at", "since (UTC)"),
    _ERROR,
)
SHOW_COLUMNS = (
    _TARGET,
    number("position"),
    word("type"),
    word("stream"),
    number("attempts"),
    word("parked_at", "since (UTC)"),
    Column("data"),
    _ERROR,
)
RETRY_COLUMNS = (
    word("projection"),
    _TARGET,
    word("key"),
    number("folded"),
    number("left"),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names, show_default=False)
]
KeyArgument = Annotated[str | None, typer.Argument(metavar="KEY", help="Of the row.", show_default=False)]
NoKeyOption = Annotated[bool, typer.Option("--no-key", help="The events whose key could not be told.")]


def add_to(group: typer.Typer) -> None:
    """Adds the noun to that of the projections."""
    parked = new_noun()
    command(parked, "list", example="eventfold projections parked list")(list_parked)
    command(parked, "show", example="eventfold projections parked show balances a-1")(show)
    command(parked, "retry", example="eventfold projections parked retry balances a-1")(retry)
    command(parked, "discard", example="eventfold projections parked discard balances a-1 --position 7")(discard)
    group.add_typer(parked, name="parked", help="Look after events that a row could not take.")


def list_parked(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only of this projection.", autocompletion=projection_names)
    ] = None,
) -> None:
    """List the keys whose events wait aside.

    A key is parked when an event of it has failed often enough. All its later events follow; all other keys go on.
    """
    engine = session.application.engine
    tracks = engine.tracks if name is None else engine.find(name)
    rows = [asdict(each) for track in tracks for each in parked_of(track)]
    show_rows(rows, LIST_COLUMNS, session.format, empty="nothing is parked")


def show(session: Session, name: NameArgument, key: KeyArgument = None, *, no_key: NoKeyOption = False) -> None:
    """Show the events that wait aside for a key, oldest first, with what is wrong."""
    app = session.application
    tracks = app.engine.find(name)
    chosen = _key(tracks[0].projection.model.key.type, key, no_key=no_key)
    rows = [
        {
            "target": track.name,
            "projection": name,
            "position": each.position,
            "attempts": each.attempts,
            "parked_at": to_datetime(each.parked_us),
            "error": each.error,
            **_stored(app, each.position),
        }
        for track in tracks
        for each in waiting(track, chosen)
    ]
    if not rows:
        raise NotFound(f"projection {name!r}: no event of key {chosen!r} is parked")
    show_rows(rows, SHOW_COLUMNS, session.format)


def retry(
    session: Session,
    name: NameArgument,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Of the rows; by default all.", show_default=False)
    ] = None,
) -> None:
    """Fold parked events in order onto their rows, when what was wrong is mended.

    Workers need not be stopped. It ends with exit code 1 where events of a key wait still.
    """
    app = session.application
    kind = app.engine.find(name)[0].projection.model.key.type
    retried = app.retry_parked(name, *[_typed(kind, each) for each in keys or []])
    show_rows([builtin(each) for each in retried], RETRY_COLUMNS, session.format, empty="nothing is parked")
    keyless = [each for each in app.parked(name) if each.key is None]
    if keyless:
        warn(f"events whose key could not be told are left: `eventfold projections rebuild {name}` folds them")
    if keyless or any(each.left for each in retried):
        raise typer.Exit(1)


def discard(
    session: Session,
    name: NameArgument,
    key: KeyArgument = None,
    *,
    no_key: NoKeyOption = False,
    position: Annotated[
        int | None, typer.Option(metavar="N", help="Only the event at this position; the others of the key wait on.")
    ] = None,
) -> None:
    """Give up the events that wait aside for a key.

    Its row never contains them; later events of the key are folded again, onto the row as it is. The log keeps them, so that a
    rebuild or a reset folds them after all, or fails on them.
    """
    app = session.application
    kind = app.engine.find(name)[0].projection.model.key.type
    chosen = _key(kind, key, no_key=no_key)
    events = app.discard_parked(name, chosen, position)
    show_record({"projection": name, "key": builtin(chosen), "discarded": events}, session.format)


def _stored(app: Application, position: int) -> dict[str, Any]:
    """An event as it lies in the log, whether the code can read it or not."""
    row = app.store.backend.log_page(LogFilter(), position - 1, position, 1)[0]
    return {"stream": row[1], "type": row[4], "event_id": row[6], "data": msgspec.json.decode(row[12])}


def _typed(kind: Any, text: str) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        usage_error(f"KEY: {error}, got {text!r}")


def _key(kind: Any, key: str | None, *, no_key: bool) -> Any:
    if (key is None) != no_key:
        usage_error("name a KEY, or give --no-key")
    return None if key is None else _typed(kind, key)
