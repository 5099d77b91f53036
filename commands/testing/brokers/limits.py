"""What is larger than the broker takes is refused, and nothing else with it."""

import re

from commands.errors import BrokerError, MessageRefused
from commands.testing.brokers.base import BrokerCases, Connect, awaited, introduce, message, numbers_of, read_all, using


class Limits(BrokerCases):
    """Cases about messages that are too large."""

    needs = "too_large"

    @awaited
    async def test_a_message_that_is_too_large_is_refused_with_its_size_and_the_limit(
        self, connect: Connect, channel: str
    ) -> None:
        large = b'"' + b"x" * (self.too_large - 2) + b'"'
        async with using(connect) as broker:
            await introduce(broker, channel)

            refused, other, behind, more = await broker.publish(
                [
                    message(channel, 1, "a", large),
                    message(channel, 2, "b"),
                    message(channel, 3, "a"),
                    message(channel, 4, "b"),
                ]
            )

            assert isinstance(refused, MessageRefused)
            assert len(re.findall(r"\d+(?:,\d{3})+", str(refused))) == 2, str(refused)
            assert isinstance(behind, BrokerError)
            assert (other, more) == (None, None)
            assert await broker.publish([message(channel, 5, "a")]) == [None]
            assert sorted(numbers_of(await read_all(broker, channel, 3))) == [2, 4, 5]
