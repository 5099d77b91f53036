"""Forgets, after some time, that messages were handled."""

from commands.clock import now_us
from commands.inbox.table import InboxTable

PRUNED_AT_ONCE = 1_000
"""How many rows go in one transaction, so that nobody waits long for it."""


def prune(table: InboxTable, keep_seconds: float) -> int:
    """Forgets what was handled longer ago, and returns how many messages they were."""
    before, pruned = now_us() - int(keep_seconds * 1e6), 0
    while (gone := table.prune(before, PRUNED_AT_ONCE)) > 0:
        pruned += gone
    return pruned
