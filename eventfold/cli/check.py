"""`eventfold check`: looks the application over, without its database."""

from typing import Any

import typer

from eventfold.check import broker_of, hints, problems
from eventfold.cli.output import show_record
from eventfold.cli.projections import TARGETS
from eventfold.cli.session import Session, command, warn
from eventfold.cli.table import Column, number, word
from eventfold.parts import Parts
from eventstore.aggregate import category_of, events_of
from eventstore.event import event_type, schema_version
from projections.target_name import names_of

TABLES = {
    "handlers": (word("command"), word("handler"), Column("aggregates")),
    "aggregates": (word("aggregate"), word("category"), Column("events")),
    "events": (word("type"), number("schema"), Column("class")),
    "projections": (word("projection"), number("version"), word("model"), TARGETS, Column("events")),
    "views": (
        word("view"),
        Column("over"),
        Column("materialized"),
        Column("refresh", needed=lambda row: row["refresh"] is not None),
    ),
    "reactions": (word("reaction"), Column("events")),
    "publish": (word("event"), word("map")),
    "publications": (word("publication"), Column("events")),
    "consumers": (word("consumer"), word("channel"), Column("messages"), word("group")),
    "schedules": (word("schedule"), word("command"), Column("recurs"), word("missed")),
    "problems": (Column("problem", style="red"),),
    "hints": (Column("hint", style="yellow"),),
}


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "check", example="eventfold check --format json", rich_help_panel=panel)(check)


def check(session: Session) -> None:
    """Look the application over, without its database.

    Imports it, builds all of it, and reports what it is made of and what cannot work. Only if --database (or
    EVENTFOLD_DATABASE) names a database are its pending migrations shown. Ends with exit code 1 if something cannot work.
    """
    app = session.application
    found = problems(app.parts)
    record: dict[str, Any] = {"application": app.name, "broker": broker_of(app.parts), **_made_of(app.parts)}
    if session.has_database:
        record["pending_migrations"] = app.parts.pending_migrations()
    record["problems"] = [{"problem": each} for each in found]
    record["hints"] = [{"hint": each} for each in hints(app.parts)]
    show_record(record, session.format, TABLES)
    if not found:
        warn("no problems found", style="green")
    else:
        warn(f"{len(found)} problem{'s' if len(found) > 1 else ''} found")
        raise typer.Exit(1)


def _made_of(parts: Parts) -> dict[str, Any]:
    return {
        "handlers": [
            {
                "command": each.command.__name__,
                "handler": each.name,
                "aggregates": [parameter.aggregate.__name__ for parameter in each.parameters],
            }
            for each in parts.handlers
        ],
        "aggregates": [
            {
                "aggregate": each.__name__,
                "category": category_of(each),
                "events": [event_type(cls) for cls in events_of(each)],
            }
            for each in parts.aggregates
        ],
        "events": [
            {
                "type": event_type(each),
                "schema": schema_version(each),
                "class": f"{each.__module__}.{each.__qualname__}",
            }
            for each in parts.events
        ],
        "projections": [
            {
                "projection": each.projection.name,
                "version": each.projection.version,
                "model": each.projection.model.cls.__name__,
                "targets": names_of(each.projection.name, each.targets),
                "events": [event_type(cls) for cls in each.projection.events],
            }
            for each in parts.projections
        ],
        "views": [
            {
                "view": each.name,
                "over": each.placeholders,
                "materialized": each.materialized,
                "refresh": each.schedule,
            }
            for each in parts.views
        ],
        "reactions": [
            {"reaction": each.name, "events": [event_type(cls) for cls in each.events]}
            for each in parts.reactions
            if each.many is None
        ],
        "publish": [
            {"event": event_type(cls), "map": getattr(function, "__name__", type(function).__name__)}
            for cls, function in parts.publish.items()
        ],
        "publications": [
            {"publication": each.name, "events": [event_type(cls) for cls in each.events]}
            for each in parts.reactions
            if each.many is not None
        ],
        "consumers": [
            {
                "consumer": each.name,
                "channel": each.reading.channel,
                "messages": list(each.messages),
                "group": each.reading.group,
            }
            for each in parts.consumers
        ],
        "schedules": [
            {
                "schedule": each.name,
                "command": type(each.command).__name__,
                "recurs": str(each.when.recurrence()),
                "missed": each.missed,
            }
            for each in parts.declared_schedules
        ],
    }
