"""A broker that knows the ids of messages keeps one that is handed over twice only once."""

from commands.testing.brokers.base import (
    BrokerCases,
    Connect,
    awaited,
    introduce,
    message,
    numbers_of,
    read,
    subscribed,
    using,
)


class Ids(BrokerCases):
    """Cases about messages that are handed over again."""

    needs = "knows_ids"

    @awaited
    async def test_a_message_that_is_handed_over_again_is_kept_once(self, connect: Connect, channel: str) -> None:
        async with using(connect) as broker:
            await introduce(broker, channel)
            for numbers in ([1, 2], [1, 2, 3]):
                assert set(await broker.publish([message(channel, number) for number in numbers])) == {None}

            found = await read(await subscribed(broker, channel), 3)

        assert numbers_of(found) == [1, 2, 3]
