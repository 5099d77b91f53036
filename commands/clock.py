"""The clock of the write side."""

import time


def now_us() -> int:
    """The instant, microseconds since 1970 UTC."""
    return time.time_ns() // 1_000
