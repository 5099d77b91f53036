"""Hands messages to a broker so that none of a key goes before the one ahead of it is confirmed."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, MessageRefused

T = TypeVar("T")

Outcome: TypeAlias = Exception | None
HandOver: TypeAlias = Callable[[Sequence[CloudEvent]], Awaitable[list[Outcome]]]


async def in_waves(events: Sequence[CloudEvent], hand_over: HandOver) -> list[Outcome]:
    """Publishes the first message of each key at once, then the second of each, and so on.

    Args:
        events: the messages, those of one key in their order.
        hand_over: publishes messages no two of which have the same key, in any order, and says what became of each.

    Returns:
        What became of each message, in the order given. Behind one that failed, no other of its key was handed over.
    """
    outcomes: list[Outcome] = [None] * len(events)
    failed: dict[tuple[str, str], Exception] = {}
    for wave in _waves(events):
        sent = [each for each in wave if (events[each].channel, events[each].key) not in failed]
        for each in wave:
            if (error := failed.get((events[each].channel, events[each].key))) is not None:
                outcomes[each] = held_back(error)
        if sent:
            for each, outcome in zip(sent, await hand_over([events[each] for each in sent]), strict=True):
                outcomes[each] = outcome
                if outcome is not None:
                    failed[events[each].channel, events[each].key] = outcome
    return outcomes


def _waves(events: Sequence[CloudEvent]) -> list[list[int]]:
    waves: list[list[int]] = []
    seen: dict[tuple[str, str], int] = {}
    for number, each in enumerate(events):
        place = seen.get((each.channel, each.key), 0)
        seen[each.channel, each.key] = place + 1
        if place == len(waves):
            waves.append([])
        waves[place].append(number)
    return waves


def prepared(
    events: Sequence[CloudEvent], prepare: Callable[[CloudEvent], T], outcomes: dict[int, Outcome]
) -> Iterator[tuple[int, T]]:
    """The place of each message and what is handed over for it.

    One that `prepare` refuses (`MessageRefused`) goes into the outcomes instead, and those of its key after it.
    """
    failed: dict[tuple[str, str], Exception] = {}
    for place, event in enumerate(events):
        try:
            if (error := failed.get((event.channel, event.key))) is not None:
                outcomes[place] = held_back(error)
            else:
                yield place, prepare(event)
        except MessageRefused as refused:
            outcomes[place] = failed[event.channel, event.key] = refused


def held_back(error: Exception) -> BrokerError:
    """What becomes of a message behind one of its key that failed: it is not handed over."""
    return BrokerError(f"held back behind a message of the same key that failed: {error}")
