"""Hands messages to a broker, and says what became of each, whatever the broker answers."""

from collections.abc import Sequence

from commands.brokers.broker import Broker
from commands.brokers.unanswered import given_up_is_away
from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable


async def hand_over(broker: Broker, events: Sequence[CloudEvent]) -> Sequence[Exception | None]:
    """What became of each message, in the order given.

    A failure of the broker itself counts against none of them: it is away. So it is where it does not say what became of each.
    """
    try:
        with given_up_is_away(broker.description):
            outcomes = await broker.publish(events)
    except BrokerError as error:
        away = error if isinstance(error, BrokerUnavailable) else BrokerUnavailable(str(error))
        return [away] * len(events)
    if len(outcomes) != len(events):
        return [_unclear(broker, len(events), len(outcomes))] * len(events)
    return outcomes


def _unclear(broker: Broker, expected: int, got: int) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"{broker.description}: publish: expected to be told of each of {expected} messages what became of it, got {got} answers; "
        "none of them counts as sent, and all are handed over again"
    )
