"""`eventfold projections rebuild`: in this process, or shared out among several."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from eventfold.application import Application
from eventfold.cli.completion import projection_names
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar, bars
from eventfold.cli.session import Session, usage_error, warn
from eventfold.cli.signals import signals_interrupt
from eventfold.cli.table import Column, number, word
from eventfold.parallel_rebuild import Report, rebuild_in_processes
from eventstore import EventfoldError
from projections import rebuild, status_of
from projections.estimate import estimate
from projections.partition_build import MAX_MEMORY, Limits
from projections.rebuild import Progress, build
from projections.track import Track

_TARGET = Column("target", whole=True, needed=lambda row: row["target"] != row["projection"])
REBUILD_COLUMNS = (word("projection"), _TARGET, number("generation", "gen"), number("events"), number("seconds"))
DRY_COLUMNS = (word("projection"), _TARGET, number("events"), number("rate", "events/s"), number("seconds"))
MEBIBYTE = 1024 * 1024


def rebuild_projection(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The projection.", autocompletion=projection_names)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them, one after the other.")] = False,
    processes: Annotated[int, typer.Option("--processes", min=1, max=256, help="Divide the keys among so many.")] = 1,
    max_rate: Annotated[
        float | None, typer.Option("--max-rate", min=1, help="Events a second, so as to leave the database to others.")
    ] = None,
    max_memory: Annotated[int, typer.Option("--max-memory", min=1, help="MiB for each process.")] = MAX_MEMORY
    // MEBIBYTE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the events and measure, and change nothing.")
    ] = False,
) -> None:
    """Fold the whole log anew.

    It builds new rows beside those that queries see, and puts them in their place at once when they have caught up.
    Ctrl-C ends it with exit code 1; the next time it goes on from there.
    """
    if every == (name is not None):
        usage_error("name one projection, or give --all")
    app = session.application
    tracks = app.engine.tracks if name is None else app.engine.find(name)
    if dry_run:
        rows = [msgspec.to_builtins(estimate(app.store, track, processes, max_rate)) for track in tracks]
        show_rows(rows, DRY_COLUMNS, session.format, empty="the application has no projections")
        return
    rate = None if max_rate is None else max_rate / processes
    limits = Limits(max_memory * MEBIBYTE, rate)
    with signals_interrupt():
        done = [_rebuild(session, app, track, processes, limits) for track in tracks]
    show_rows(done, REBUILD_COLUMNS, session.format, empty="the application has no projections")


def _rebuild(session: Session, app: Application, track: Track, processes: int, limits: Limits) -> dict[str, Any]:
    try:
        if processes == 1:
            return rebuild_with_bar(app, track, limits)
        return _with_bars(session, app, track, processes, limits)
    except KeyboardInterrupt:
        status = status_of(app.store, track)
        warn(
            f"interrupted at position {status.rebuilding_position or 0}; the rows in use are as they were. "
            f"`eventfold projections rebuild {status.projection}` goes on from there."
        )
        raise typer.Exit(1) from None


def rebuild_with_bar(app: Application, track: Track, limits: Limits | None = None) -> dict[str, Any]:
    """Rebuilds one projection in one target, and says what that took."""
    chosen = limits or Limits()
    begun = status_of(app.store, track).rebuilding_position or 0
    with _measured(app, track) as row, bar(f"rebuild {_title(track)}", begun) as shown:
        row["events"] = rebuild(
            app.store,
            track,
            on_progress=lambda at: shown.move(at.position, at.head, at.events),
            max_memory=chosen.max_memory,
            max_rate=chosen.max_rate,
        )
    return row


def _with_bars(session: Session, app: Application, track: Track, processes: int, limits: Limits) -> dict[str, Any]:
    """The same by several processes, with a bar for each."""
    begun = status_of(app.store, track).rebuilding_position or 0
    titles = [f"rebuild {_title(track)}, process {n + 1}" for n in range(processes)]
    with _measured(app, track) as row, bars(titles, begun) as shown:

        def move(n: int, at: Progress) -> None:
            shown[n].move(at.position, at.head, at.events)

        row["events"] = rebuild_in_processes(
            app.store, track, processes, limits, environment=session.environment, on_progress=move
        )
    return row


@contextmanager
def _measured(app: Application, track: Track) -> Iterator[dict[str, Any]]:
    """What a rebuild took, filled in at its end."""
    started = time.monotonic()
    row: dict[str, Any] = {"projection": track.projection.name, "target": track.name, "generation": 0, "events": 0}
    yield row
    row["generation"] = status_of(app.store, track).generation
    row["seconds"] = round(time.monotonic() - started, 3)


def _title(track: Track) -> str:
    return track.name if track.name == track.projection.name else f"{track.projection.name} in {track.name}"


def build_partitions(
    session: Session,
    name: str,
    target: str,
    generation: int,
    *,
    partitions: Annotated[str, typer.Option("--partitions")],
    max_memory: Annotated[int, typer.Option("--max-memory")],
    max_rate: Annotated[float | None, typer.Option("--max-rate")] = None,
) -> None:
    """Build some partitions of a generation, for the rebuild that has started this process; progress goes to stdout."""
    track = next(each for each in session.application.engine.find(name) if each.name == target)
    numbers = [int(each) for each in partitions.split(",")]
    limits = Limits(max_memory, max_rate)
    with signals_interrupt():
        try:
            build(
                session.application.store,
                track,
                track.target.generation(generation),
                numbers,
                limits,
                lambda progress: _say(Report(progress)),
            )
        except EventfoldError as error:
            _say(Report(error=str(error)))
            raise typer.Exit(1) from None


def _say(report: Report) -> None:
    """One line, at once; where nobody hears it any more, because that process is gone, this one ends."""
    os.write(sys.stdout.fileno(), msgspec.json.encode(report) + b"\n")
