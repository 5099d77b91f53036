"""What all parts of a consumer process wait for is logged once, and once that it is over."""

import pytest

from commands.errors import BrokerUnavailable
from commands.inbox.trouble import Trouble


def test_the_same_is_said_once_for_all_parts_and_tries_and_once_that_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble, away, full = Trouble(), BrokerUnavailable("away"), BrokerUnavailable("full")

    for where in ("partition 0", "partition 1", "partition 0"):
        trouble.met(where, away)
    trouble.met("partition 1", full)
    for where in ("partition 0", "partition 0", "partition 1"):
        trouble.over(where)

    assert [each.getMessage() for each in caplog.records] == [
        "partition 0 waits: away",
        "partition 1 waits: full",
        "partition 1 goes on, and so does all else",
    ]
