"""Forgets what is older than an instant, some of it in each transaction, so that nobody waits long for one."""

from collections.abc import Callable

PRUNED_AT_ONCE = 1_000
"""How many rows go in one transaction."""


def prune_all(prune: Callable[[int, int], int], before_us: int) -> int:
    """Forgets everything before an instant, and returns how much that was.

    Args:
        prune: forgets what lies before an instant, so many at most, and returns how many they were.
        before_us: the instant, microseconds since 1970 UTC.
    """
    pruned = 0
    while (gone := prune(before_us, PRUNED_AT_ONCE)) > 0:
        pruned += gone
    return pruned
