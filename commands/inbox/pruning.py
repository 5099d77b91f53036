"""Forgets, after some time, that messages were handled."""

from commands.clock import now_us
from commands.inbox.table import InboxTable
from commands.pruning import prune_all


def prune(table: InboxTable, keep_seconds: float) -> int:
    """Forgets what was handled longer ago, and returns how many messages they were."""
    return prune_all(table.prune, now_us() - int(keep_seconds * 1e6))
