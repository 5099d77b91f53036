"""`eventfold publish`: the log handed to a broker."""

import logging
import sys
import time
from typing import Annotated

import typer

from eventfold.cli.completion import reaction_names
from eventfold.cli.output import show_rows
from eventfold.cli.reactions import STATUS_COLUMNS, reaction_rows
from eventfold.cli.relay import warn_of_memory
from eventfold.cli.session import Session, command, usage_error, warn
from eventfold.cli.signals import LOOK_SECONDS, signals_end
from eventfold.cli.table import word
from eventfold.follower import Follower
from eventfold.parts import Parts
from eventfold.react import react

logger = logging.getLogger("eventfold.publish")

COLUMNS = (word("publication"), *STATUS_COLUMNS[1:])


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(app, "publish", example="eventfold publish feed --once", rich_help_panel=panel)(publish)


def publish(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Of publications; by default all.", autocompletion=reaction_names),
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when all that is in the log now is published.")] = False,
) -> None:
    """Hand events of the log to the broker, as publications say, until SIGTERM or Ctrl-C.

    A worker does so, too, beside its other work. Each publication remembers how far it has come; `eventfold reactions` shows and
    mends it.
    """
    if once:
        _publish_once(session, names or [])
    else:
        _serve(session, names or [])


def _publish_once(session: Session, names: list[str]) -> None:
    parts = session.application.parts
    chosen = _chosen(parts, names)
    react(parts, chosen)
    stands = [each for each in reaction_rows(session.application) if each["reaction"] in chosen]
    rows = [{"publication": each.pop("reaction"), **each} for each in stands]
    show_rows(rows, COLUMNS, session.format)
    if parked := [each["publication"] for each in rows if each["parked"]]:
        warn(f"some is parked of publication {', '.join(parked)}: `eventfold reactions parked` shows what is wrong")
        raise typer.Exit(1)


def _serve(session: Session, names: list[str]) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def going() -> bool:
        return not follower.stopping

    with signals_end() as ended:  # before the application is imported, which takes a while
        parts = session.application.parts
        chosen = _chosen(parts, names)
        parts.store.listen()
        follower = Follower(parts.store, "publications", lambda: react(parts, chosen, going) > 0, lambda: None)
        follower.start()
        logger.info("publishing %s of %s", ", ".join(chosen), session.application.name)
        try:
            while not ended():
                time.sleep(LOOK_SECONDS)
            logger.info("stopping after the events in hand")
        finally:
            follower.stop()
    logger.info("stopped")


def _chosen(parts: Parts, names: list[str]) -> list[str]:
    known = [each.name for each in parts.reactions if each.many is not None]
    if not known:
        usage_error("the application has no publications; declare one, as in reactions=[publication(...)]")
    if unknown := [each for each in names if each not in known]:
        usage_error(f"no publication is called {unknown[0]!r} (there are: {', '.join(known)})")
    warn_of_memory(parts.broker)
    return names or known
