"""A process that copies a log an event at a time, to be killed. Run by `test_log_copy.py`."""

from multiprocessing.connection import Connection

from msgspec.structs import replace

from eventstore import log_copy, open_store
from eventstore.log_transform import CopiedEvent


def reshape(event: CopiedEvent) -> CopiedEvent | list[CopiedEvent] | None:
    """Merges all accounts into one stream, splits withdrawals, drops courses, and renames a type with its field."""
    match event.type:
        case "Withdrawn":
            half = event.data["amount"] // 2
            return [replace(event, data={"amount": part}) for part in (half, event.data["amount"] - half)]
        case "CourseDefined":
            return None
        case "account-renamed":
            return replace(
                event, stream="account-all", type="AccountNamed", schema=1, data={"title": event.data["name"]}
            )
        case "Deposited":
            return replace(event, stream="account-all")
    return event


def copy_slowly(source_url: str, target_url: str, reports: Connection) -> None:
    """Copies, and reports each position."""
    log_copy.PAGE = 1
    with open_store(source_url) as source, open_store(target_url) as target:
        log_copy.copy_log(source, target, reshape, name="reshape", on_progress=lambda step: reports.send(step.position))
