"""Which broker a URL means."""

from urllib.parse import SplitResult, parse_qs, urlsplit

from commands.brokers.broker import PARTITIONS, Broker
from commands.brokers.memory import MemoryBroker
from eventstore import InvalidInput

SCHEMES = ("memory",)
MOST_PARTITIONS = 1_000


def open_broker(url: str) -> Broker:
    """The broker at a URL, which is connected to when it is used first.

    Args:
        url: `memory://name`. The option `partitions` says how many each channel has.

    Raises:
        InvalidInput: the URL is not one of a broker.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryBroker(parts.netloc, partitions=_partitions(parts))
    raise InvalidInput(
        f"broker: expected a URL that begins with {' or '.join(f'{each}://' for each in SCHEMES)}, got {url!r}"
    )


def _partitions(parts: SplitResult) -> int:
    given = parse_qs(parts.query).get("partitions", [str(PARTITIONS)])[-1]
    if not given.isdecimal() or not 1 <= int(given) <= MOST_PARTITIONS:
        raise InvalidInput(f"broker: partitions: expected a number from 1 to {MOST_PARTITIONS:,}, got {given!r}")
    return int(given)
