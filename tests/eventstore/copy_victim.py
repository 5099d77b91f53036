"""A process that copies a log an event at a time, to be killed. Run by `test_log_copy.py`."""

from multiprocessing.connection import Connection

from eventstore import log_copy, open_store


def copy_slowly(source_url: str, target_url: str, reports: Connection) -> None:
    """Copies, and reports each position."""
    from tests.eventstore.test_log_copy import reshape

    log_copy.PAGE = 1
    with open_store(source_url) as source, open_store(target_url) as target:
        log_copy.copy_log(source, target, reshape, name="reshape", on_progress=lambda step: reports.send(step.position))
