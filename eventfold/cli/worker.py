"""`eventfold worker`: keeps the read models up to date, carries out reactions, and dispatches scheduled commands."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Annotated

import typer

from eventfold.application import Application
from eventfold.children import Child, Orphaned, await_all
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.projections import STATUS_COLUMNS, status_rows
from eventfold.cli.rebuild import rebuild_with_bar
from eventfold.cli.relay import relay_once, warn_of_memory
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import LOOK_SECONDS, signals_end, signals_interrupt
from eventfold.parallel_rebuild import rebuild_in_processes
from eventstore import EventfoldError
from projections import status_of
from projections.leases import LEASE_SECONDS, worker_name
from projections.partition_build import Limits
from projections.rebuild import outdated
from projections.rebuild_turn import RebuildTurn
from projections.track import Track

logger = logging.getLogger("eventfold.worker")


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = new_noun()
    command(group, "run", example="eventfold worker run --until-caught-up")(run)
    app.add_typer(group, name="worker", help="Keep the read models up to date.", rich_help_panel=panel)


def run(
    session: Session,
    *,
    until_caught_up: Annotated[
        bool,
        typer.Option(
            "--until-caught-up", help="End when all that is due now is dispatched, folded, carried out and sent."
        ),
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=256, help="So many workers, each in a process of its own.")
    ] = 1,
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
) -> None:
    """Keep the read models up to date, carry out reactions, and dispatch scheduled commands, until SIGTERM or Ctrl-C.

    These end it after the batch in hand, with exit code 0. Rows that another version of the code has made are rebuilt
    first. Any number of workers may run at once, on any number of machines: they share the partitions among themselves.
    """
    if until_caught_up and processes > 1:
        usage_error("--until-caught-up works in this process alone; leave out --processes")
    if until_caught_up:
        _catch_up(session.application)
        show_rows(
            status_rows(session.application), STATUS_COLUMNS, session.format, empty="the application has no projections"
        )
    elif processes > 1:
        _supervise(session, processes)
    else:
        _serve(session.application, None if parent is None else Orphaned(parent))


def _catch_up(app: Application) -> None:
    if app.parts.commands:
        app.fire_due()
    for track in app.engine.tracks:
        if outdated(track):
            rebuild_with_bar(app, track)
    errors = list[EventfoldError]()
    for work in (partial(_fold, app), app.react, partial(_hand_over, app)):
        try:
            work()
        except EventfoldError as error:
            errors.append(error)
    for other in errors[1:]:
        warn(f"error: {other}", style="red")
    if errors:  # becomes the command's one error; what else stands still was said here
        raise errors[0]


def _fold(app: Application) -> None:
    start = min((status.position for status in (status_of(app.store, each) for each in app.engine.tracks)), default=0)
    try:
        with bar("catch up", start) as shown:
            app.engine.catch_up(on_progress=shown.move)
    except EventfoldError as error:
        for failure in (track.failure or track.gave_up for track in app.engine.tracks):
            if failure not in {None, error, error.__cause__}:
                warn(f"error: {failure}", style="red")
        raise


def _hand_over(app: Application) -> None:
    """What reactions have told others, too. What PostgreSQL's write-ahead log says is a stream's to send."""
    if app.parts.broker is None or app.parts.relay.streamed:
        return
    warn_of_memory(app.parts.broker)
    sent = relay_once(app.outbox, app.parts.broker, app.parts.relay)
    warn(f"{sent:,} message{'' if sent == 1 else 's'} handed to the broker", style="green")


def _serve(app: Application, orphaned: Orphaned | None) -> None:
    """Works in a thread of its own, so that a signal never interrupts a batch: the main thread only waits for it."""
    _log_to_stderr()
    with signals_end() as ended, ThreadPoolExecutor(1, "eventfold-worker") as threads:
        worker = app.worker()
        working = threads.submit(worker.run)
        reactions = f" and carrying out {len(app.parts.reactions)} reactions" if app.parts.reactions else ""
        logger.info("keeping %d projections of %s up to date%s", len(app.parts.projections), app.name, reactions)
        try:
            while not wait([working], LOOK_SECONDS).done:
                if ended():
                    logger.info("stopping after the batch in hand")
                    break
                if orphaned:
                    logger.info("the process that has started this one is gone")
                    break
        finally:
            worker.stop()
        working.result()
    logger.info("stopped")


def _supervise(session: Session, processes: int) -> None:
    """Starts workers and keeps them running. What is outdated is rebuilt by all of them together, before."""
    _log_to_stderr()
    app = session.application
    with signals_interrupt():
        children: list[Child] = []
        try:
            for track in app.engine.tracks:
                _rebuild_by_all(session, track, processes)
            app.close()
            logger.info("keeping %d projections of %s up to date", len(app.parts.projections), app.name)
            arguments = ["worker", "run", "--parent", str(os.getpid())]
            for _ in range(processes):
                children.append(Child(arguments, session.environment, forever=True))
                logger.info("process %d works", children[-1].pid)
            await_all(children)
        except KeyboardInterrupt:
            logger.info("stopped, with %d processes", len(children))
        finally:
            for each in children:
                each.stop()


def _rebuild_by_all(session: Session, track: Track, processes: int) -> None:
    """Rebuilds what is outdated, unless another worker is at it: then the workers to be started take over if that is needed."""
    store, owner = session.application.store, worker_name()
    turn = RebuildTurn(track, owner, LEASE_SECONDS)
    whose = turn.take(processes if track.declared is None or track.declared.divisible else 1)
    if whose == owner:
        on_progress = turn.renewing()
        rebuild_in_processes(
            store, track, processes, Limits(), environment=session.environment, on_progress=on_progress
        )
    elif whose is not None:
        logger.info(
            "projection %s has changed, and worker %s is rebuilding %s", track.projection.name, whose, track.name
        )


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
