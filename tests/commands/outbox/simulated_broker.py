"""A broker whose every answer is drawn: it keeps what a `Broker` must keep, fails at any point, and forgets to say so."""

import random
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from commands import BrokerError, BrokerUnavailable, CloudEvent, MessageRefused
from tests.commands.outbox.shop import Numbered

FAULTS = (BrokerError, BrokerUnavailable, MessageRefused)


class SimulatedBroker:
    """Of one key, nothing behind a message that fails is kept. One that fails may be kept, and only its answer lost."""

    def __init__(self, chance: random.Random, faulty: float = 0.1) -> None:
        self.kept: defaultdict[str, list[int]] = defaultdict(list)
        self.faulty = faulty
        self._chance = chance

    def publish(self, events: Sequence[CloudEvent], *, dies_after: int | None = None) -> list[Exception | None]:
        """What becomes of messages; a relay that dies sees nothing of it."""
        failed: dict[str, Exception] = {}
        answers: list[Exception | None] = []
        for each in events[:dies_after]:
            if each.key not in failed and self._chance.random() < self.faulty:
                failed[each.key] = self._chance.choice(FAULTS)("drawn")
                if self._chance.random() < 0.3:
                    self._keep(each)
            elif each.key not in failed:
                self._keep(each)
            answers.append(failed.get(each.key))
        return answers

    def _keep(self, event: CloudEvent) -> None:
        self.kept[event.key].append(msgspec.json.decode(event.data, type=Numbered).n)
