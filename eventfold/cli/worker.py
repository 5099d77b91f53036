"""`eventfold worker`: does all that goes on beside commands and queries."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Annotated

import typer

from eventfold.application import Application
from eventfold.children import Child, Orphaned, await_all
from eventfold.cli.inbox import warn_of_aside
from eventfold.cli.noun import new_noun
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.projections import STATUS_COLUMNS, status_rows
from eventfold.cli.rebuild import rebuild_with_bar
from eventfold.cli.relay import relay_once, warn_of_memory
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import LOOK_SECONDS, signals_end, signals_interrupt
from eventfold.parallel_rebuild import rebuild_in_processes
from eventfold.parts import Parts
from eventstore import DefinitionError, EventfoldError
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
            "--until-caught-up",
            help="End when all that is due now is dispatched, consumed, folded, carried out and sent.",
        ),
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=256, help="So many workers, each in a process of its own.")
    ] = 1,
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
) -> None:
    """Do all that goes on beside commands and queries, until SIGTERM or Ctrl-C.

    It keeps the read models up to date, carries out reactions, dispatches scheduled commands and, where the application names a
    broker, consumes the inbox, hands the outbox over, and publishes what publications say. SIGTERM and Ctrl-C end it after the
    batch in hand, with exit code 0. Rows that another version of the code has made are rebuilt
    first. Any number of workers may run at once, on any number of machines: they share the partitions among themselves.
    """
    if until_caught_up and processes > 1:
        usage_error("--until-caught-up works in this process alone; leave out --processes")
    if until_caught_up:
        _catch_up(session.application)
        show_rows(
            status_rows(session.application), STATUS_COLUMNS, session.format, empty="the application has no projections"
        )
        if session.application.parts.consumers and warn_of_aside(session.inbox):
            raise typer.Exit(1)
    elif processes > 1:
        _supervise(session, processes)
    else:
        _serve(session, None if parent is None else Orphaned(parent))


def _catch_up(app: Application) -> None:
    if app.parts.commands:
        app.fire_due()
    for track in app.engine.tracks:
        if outdated(track):
            rebuild_with_bar(app, track)
    errors = list[EventfoldError]()
    for work in (partial(_consume, app), partial(_fold, app), app.react, partial(_hand_over, app)):
        try:
            work()
        except EventfoldError as error:
            errors.append(error)
    for other in errors[1:]:
        warn(f"error: {other}", style="red")
    if errors:  # becomes the command's one error; what else stands still was said here
        raise errors[0]


def _consume(app: Application) -> None:
    """What other services have said, before what it leads to."""
    if app.parts.consumers and app.parts.broker is not None:
        app.inbox.worker().run_once()


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
    if app.parts.relay.streamed:
        return
    if app.parts.broker is None:
        _expect_nothing_to_send(app)
        return
    warn_of_memory(app.parts.broker)
    sent = relay_once(app.outbox, app.parts.broker, app.parts.relay)
    warn(f"{sent:,} message{'' if sent == 1 else 's'} handed to the broker", style="green")


def _expect_nothing_to_send(app: Application) -> None:
    counts = app.outbox.status()
    left = counts.pending + counts.waiting
    if left:
        raise DefinitionError(
            f"{left:,} message{'s wait' if left > 1 else ' waits'} in the outbox, and the application names no broker: name one, "
            "as in Application(broker='nats://...'), or run `eventfold outbox relay --broker URL`"
        )


def _serve(session: Session, orphaned: Orphaned | None) -> None:
    """Works in a thread of its own, so that a signal never interrupts a batch: the main thread only waits for it."""
    _log_to_stderr()
    with signals_end() as ended, ThreadPoolExecutor(1, "eventfold-worker") as threads:
        app = session.application  # imported only now, so that a signal meanwhile ends it as ever
        worker = app.worker()
        working = threads.submit(worker.run)
        logger.info("at work for %s: %s", app.name, _work_of(app.parts))
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


def _work_of(parts: Parts) -> str:
    """What a worker does, for people."""
    publications = sum(each.many is not None for each in parts.reactions)
    connected = parts.broker is not None
    counts = {
        "projection": len(parts.projections),
        "reaction": len(parts.reactions) - publications,
        "publication": publications,
        "consumer": len(parts.consumers) if connected else 0,
        "schedule": len(parts.declared_schedules),
    }
    found = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count]
    return ", ".join([*found, "scheduled commands", *(["the outbox"] if connected else [])])


def _supervise(session: Session, processes: int) -> None:
    """Starts workers and keeps them running. What is outdated is rebuilt by all of them together, before."""
    _log_to_stderr()
    with signals_interrupt():
        children: list[Child] = []
        try:
            app = session.application  # as above
            for track in app.engine.tracks:
                _rebuild_by_all(session, track, processes)
            app.close()
            logger.info("at work for %s: %s", app.name, _work_of(app.parts))
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
