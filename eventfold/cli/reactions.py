"""`eventfold reactions`: side effects, how they stand, and what is done where they failed."""

from typing import Annotated, Any

import typer
from msgspec.structs import asdict, replace

from eventfold.application import Application
from eventfold.cli.completion import reaction_names
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.table import Column, builtin, number, word
from eventstore.event import event_type
from projections import ParkedEvents, ReactionFailed, Retried, status_of
from projections.mending import parked_of
from projections.track import Track

LIST_COLUMNS = (word("reaction"), word("start"), number("partitions"), Column("events"))
STATUS_COLUMNS = (
    word("reaction"),
    word("state"),
    number("position"),
    number("lag"),
    Column("seconds_behind", "secs", right=True, whole=True, needed=lambda row: row["seconds_behind"] > 0),
    Column("parked", right=True, whole=True, needed=lambda row: row["parked"] > 0),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
PARKED_COLUMNS = (
    word("reaction"),
    word("key"),
    number("position", "from"),
    number("events"),
    number("attempts"),
    word("parked_at", "since (UTC)"),
    Column("error", style="red"),
)
RETRY_COLUMNS = (
    word("reaction"),
    word("key"),
    number("done"),
    number("left"),
    Column("error", style="red", needed=lambda row: row["error"] is not None),
)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The reaction.", autocompletion=reaction_names, show_default=False)
]


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "list", example="eventfold reactions list")(list_reactions)
    command(group, "status", example="eventfold reactions status --format json")(status)
    command(group, "parked", example="eventfold reactions parked welcome")(parked)
    command(group, "retry", example="eventfold reactions retry welcome a-1")(retry)
    command(group, "discard", example="eventfold reactions discard welcome a-1 --position 7")(discard)
    command(group, "pause", example="eventfold reactions pause welcome")(pause)
    command(group, "resume", example="eventfold reactions resume welcome")(resume)
    app.add_typer(group, name="reactions", help="List and look after side effects.", rich_help_panel=panel)


def list_reactions(session: Session) -> None:
    """List the reactions as the code declares them. The database is not touched."""
    rows = [
        {
            "reaction": each.name,
            "start": each.start,
            "partitions": each.partitions,
            "events": [event_type(cls) for cls in each.events],
        }
        for each in session.application.parts.reactions
    ]
    show_rows(rows, LIST_COLUMNS, session.format, empty="the application has no reactions")


def status(session: Session) -> None:
    """Show where each reaction stands, and how far behind the log that is."""
    show_rows(
        reaction_rows(session.application), STATUS_COLUMNS, session.format, empty="the application has no reactions"
    )


def reaction_rows(app: Application) -> list[dict[str, Any]]:
    """The status of every reaction."""
    return [_status(app, reaction.kind, track) for reaction, track in app.parts.reactions_in_log]


def parked(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only of this reaction.", autocompletion=reaction_names)
    ] = None,
) -> None:
    """List the keys whose events wait aside.

    A key is parked when a reaction has failed on an event of it often enough. All its later events follow; all other keys go on.
    """
    parts = session.application.parts
    chosen = parts.reactions_in_log if name is None else [parts.reaction(name)]
    rows = [_named(each) for _, track in chosen for each in parked_of(track)]
    show_rows(rows, PARKED_COLUMNS, session.format, empty="nothing is parked")


def retry(
    session: Session,
    name: NameArgument,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="By default all.", show_default=False)
    ] = None,
) -> None:
    """Carry out parked events in order, in this process, when what was wrong is mended.

    Workers need not be stopped. It ends with exit code 1 where events of a key wait still.
    """
    session.application.parts.reaction(name)
    retried = session.application.retry_parked(name, *(keys or []))
    show_rows([_named(each) for each in retried], RETRY_COLUMNS, session.format, empty="nothing is parked")
    if any(each.left for each in retried):
        raise typer.Exit(1)


def discard(
    session: Session,
    name: NameArgument,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="Whose events.", show_default=False)] = None,
    *,
    no_key: Annotated[bool, typer.Option("--no-key", help="The events whose key could not be told.")] = False,
    position: Annotated[
        int | None, typer.Option(metavar="N", help="Only the event at this position; the others of the key wait on.")
    ] = None,
) -> None:
    """Give up the events that wait aside for a key: they are never carried out. Later events of the key are."""
    if (key is None) != no_key:
        usage_error("name a KEY, or give --no-key")
    session.application.parts.reaction(name)
    events = session.application.discard_parked(name, key, position)
    show_record({"reaction": name, "key": key, "discarded": events}, session.format)


def pause(session: Session, name: NameArgument) -> None:
    """Let nobody carry out a reaction until it is resumed. That holds for all processes, and lasts."""
    session.application.parts.reaction(name)
    session.application.pause(name)
    warn(f"reaction {name} is paused", style="green")


def resume(session: Session, name: NameArgument) -> None:
    """Let a paused reaction go on from where it stands."""
    session.application.parts.reaction(name)
    session.application.resume(name)
    warn(f"reaction {name} goes on", style="green")


def _status(app: Application, kind: str, track: Track) -> dict[str, Any]:
    found = status_of(app.store, track)
    if found.state == "parked":
        last = max(parked_of(track), key=lambda each: each.parked_at)
        failure = ReactionFailed(found.projection, last.position, last.key, str(last.error), parked=True, kind=kind)
        found = replace(found, error=str(failure))
    shown = builtin(found)
    own = (
        "state",
        "position",
        "lag",
        "events",
        "error",
        "events_behind",
        "seconds_behind",
        "rate",
        "parked",
        "discarded",
    )
    return {"reaction": found.projection, **{name: shown[name] for name in own}}


def _named(found: ParkedEvents | Retried) -> dict[str, Any]:
    """In the words of reactions, which have no rows."""
    shown = asdict(found)
    names = {"projection": "reaction", "folded": "done"}
    return {names.get(name, name): value for name, value in shown.items() if name != "target"}
