"""The sender hands messages over from plain threads, and believes only what it was told of each."""

from collections.abc import Sequence

import pytest

from commands import BrokerError, BrokerUnavailable, CloudEvent
from commands.brokers.memory import MemoryBroker
from commands.brokers.sender import Sender
from commands.testing.brokers.base import message


class Odd(MemoryBroker):
    def __init__(self, answer: list[Exception | None] | BrokerError) -> None:
        super().__init__()
        self.description = "odd"
        self._answer = answer

    async def publish(self, events: Sequence[CloudEvent]) -> list[Exception | None]:
        if isinstance(self._answer, BrokerError):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([], "odd: publish: expected to be told of each of 2 messages what became of it, got 0 answers"),
        ([None], "got 1 answers"),
        (BrokerError("broken"), "broken"),
    ],
)
def test_what_a_broker_does_not_speak_of_is_not_sent(
    answer: list[Exception | None] | BrokerError, sentence: str
) -> None:
    sender = Sender(Odd(answer))
    try:
        with pytest.raises(BrokerUnavailable, match=sentence):
            sender.send([message("bank", 1), message("bank", 2)])
    finally:
        sender.close()
