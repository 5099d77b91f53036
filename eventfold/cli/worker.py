"""`eventfold worker`: keeps the read models up to date."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from eventfold.application import Application
from eventfold.cli.help import PlainGroup
from eventfold.cli.output import show_rows
from eventfold.cli.progress import bar
from eventfold.cli.projections import STATUS_COLUMNS, rebuild_with_bar, status_rows
from eventfold.cli.session import Session, command, warn
from eventfold.cli.signals import signals_interrupt
from eventstore import EventfoldError
from projections import status_of
from projections.rebuild import outdated

logger = logging.getLogger("eventfold.worker")


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the noun."""
    group = typer.Typer(cls=PlainGroup, no_args_is_help=True)
    command(group, "run", example="eventfold worker run --until-caught-up")(run)
    app.add_typer(group, name="worker", help="Keep the read models up to date.", rich_help_panel=panel)


def run(
    session: Session,
    *,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when the read models contain all that is in the log now.")
    ] = False,
) -> None:
    """Keep the read models up to date until SIGTERM or Ctrl-C.

    These end it after the batch in hand, with exit code 0. Rows that another version of the code has made are rebuilt
    first. Any number of workers may run at once.
    """
    if until_caught_up:
        _catch_up(session.application)
        show_rows(
            status_rows(session.application), STATUS_COLUMNS, session.format, empty="the application has no projections"
        )
    else:
        _serve(session.application)


def _catch_up(app: Application) -> None:
    for track in app.engine.tracks:
        if outdated(track):
            rebuild_with_bar(app, track)
    start = min((status.position for status in (status_of(app.store, each) for each in app.engine.tracks)), default=0)
    try:
        with bar("catch up", start) as shown:
            app.engine.catch_up(on_progress=shown.move)
    except EventfoldError as error:  # becomes the command's one error; what else stands still is said here
        for failure in (track.failure or track.gave_up for track in app.engine.tracks):
            if failure not in {None, error, error.__cause__}:
                warn(f"error: {failure}", style="red")
        raise


def _serve(app: Application) -> None:
    """Works in a thread of its own, so that a signal never interrupts a batch: the main thread only waits for it."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with signals_interrupt(), ThreadPoolExecutor(1, "eventfold-worker") as threads:
        worker = app.worker()
        working = threads.submit(worker.run)
        logger.info("keeping %d projections of %s up to date", len(app.parts.projections), app.name)
        try:
            working.result()
        except KeyboardInterrupt:
            logger.info("stopping after the batch in hand")
        finally:
            worker.stop()
        working.result()
    logger.info("stopped")
