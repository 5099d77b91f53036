"""Hands messages to a broker so that none of a key goes before the one ahead of it is confirmed."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from commands.cloud_event import CloudEvent
from commands.errors import BrokerError, BrokerUnavailable, MessageRefused

T = TypeVar("T")

Outcome: TypeAlias = Exception | None
HandOver: TypeAlias = Callable[[Sequence[int]], Awaitable[list[Outcome]]]


async def in_waves(events: Sequence[CloudEvent], hand_over: HandOver) -> list[Outcome]:
    """Publishes the first message of each key at once, then the second of each, and so on.

    Args:
        events: the messages, those of one key in their order.
        hand_over: publishes the messages at some places, no two of which have the same key, in any order, and says what became of
            each.

    Returns:
        What became of each message, in the order given. Behind one that failed, no other of its key was handed over.
    """
    outcomes: list[Outcome] = [None] * len(events)
    failed: dict[tuple[str, str], Exception] = {}
    for wave in _waves(events):
        sent = [place for place in wave if _key(events[place]) not in failed]
        for place in wave:
            if (error := failed.get(_key(events[place]))) is not None:
                outcomes[place] = held_back(error)
        if sent:
            for place, outcome in zip(sent, await hand_over(sent), strict=True):
                outcomes[place] = outcome
                if outcome is not None:
                    failed[_key(events[place])] = outcome
    return outcomes


def _waves(events: Sequence[CloudEvent]) -> list[list[int]]:
    waves: list[list[int]] = []
    seen: dict[tuple[str, str], int] = {}
    for place, each in enumerate(events):
        number = seen.get(_key(each), 0)
        seen[_key(each)] = number + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(place)
    return waves


def _key(event: CloudEvent) -> tuple[str, str]:
    return event.channel, event.key


def prepared(
    events: Sequence[CloudEvent],
    places: Iterable[int],
    prepare: Callable[[CloudEvent], T],
    outcomes: dict[int, Outcome],
) -> Iterator[tuple[int, T]]:
    """The place of each message that has no outcome yet, of those at some places, and what is handed over for it.

    One that `prepare` refuses (`MessageRefused`) goes into the outcomes instead, and those of its key after it.
    """
    failed: dict[tuple[str, str], Exception] = {}
    for place in places:
        if place in outcomes:
            continue
        event = events[place]
        try:
            if (error := failed.get(_key(event))) is not None:
                outcomes[place] = held_back(error)
            else:
                yield place, prepare(event)
        except MessageRefused as refused:
            outcomes[place] = failed[_key(event)] = refused


def held_back(error: Exception) -> BrokerError:
    """What becomes of a message behind one that failed: it is not handed over, and where the broker is away, that is why."""
    text = f"held back behind a message that failed: {error}"
    return BrokerUnavailable(text, error.channel) if isinstance(error, BrokerUnavailable) else BrokerError(text)
