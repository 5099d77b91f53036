"""Partitions: the rows of a projection divided by their keys, so that several workers keep them side by side."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from eventstore import DefinitionError
from eventstore.share import share_of
from projections.target import Target

MAX_PARTITIONS = 256


class Partition(msgspec.Struct, frozen=True):
    """One share of the keys.

    Attributes:
        number: from 0.
        of: how many there are.
    """

    number: int = 0
    of: int = 1

    def holds(self, key: Any) -> bool:
        """Whether a key is one of this partition's."""
        return self.of == 1 or partition_of(key, self.of) == self.number


WHOLE = Partition()


def partition_of(key: Any, of: int) -> int:
    """The number of the partition that a key belongs to: equal keys always have the same one, in every process."""
    return share_of(_text(key), of)


def check_partitions(where: str, partitions: int) -> int:
    """Returns a number of partitions that can be kept.

    Raises:
        DefinitionError: it is not an integer from 1 to 256.
    """
    if isinstance(partitions, bool) or not isinstance(partitions, int) or not 1 <= partitions <= MAX_PARTITIONS:
        raise DefinitionError(
            f"{where}: partitions: expected an integer from 1 to {MAX_PARTITIONS}, got {partitions!r}"
        )
    return partitions


def require_divisible(where: str, target: Target) -> None:
    """Makes sure that the partitions of a target can be written apart.

    Raises:
        DefinitionError: a rule holds over all of its rows, which partitions that stand at different positions would break.
    """
    if not target.divisible:
        raise DefinitionError(
            f"{where}: {type(target).__name__}({target.name!r}) has a rule over all of its rows, such as unique=, so its keys "
            "cannot be divided among several workers; use one partition and one process"
        )


def _text(key: Any) -> str:
    """A key as text, the same for equal keys."""
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, int):
        return str(int(key))  # True equals 1
    if isinstance(key, datetime) and key.tzinfo is not None:
        return key.astimezone(UTC).isoformat()
    return str(key)
