"""How an application reads what is stored under a type and a schema version."""

from collections.abc import Callable

from eventfold.parts import Parts
from eventstore.codec import Codec


def what_read(parts: Parts) -> Callable[[str, int], list[str]]:
    """A function from a stored type and schema version to the declared ones that it is read as, such as `OrderPlaced 2`."""
    codec = Codec(parts.events)

    def read_as(name: str, schema: int) -> list[str]:
        ends = codec.lineage.ends((name, schema))
        return [f"{end} {version}" for end, version in ends if codec.reads(end, version)]

    return read_as


def how_read(parts: Parts) -> Callable[[str, int], str]:
    """A function from a stored type and schema version to a word.

    That is `present`, `upcast`, `alias`, `retired`, `unknown`, `newer` (than this code) or `too old` (for its upcasters).
    """
    codec = Codec(parts.events)
    lineage = codec.lineage
    retired = parts.retired

    def read(name: str, schema: int) -> str:
        if codec.reads(name, schema):
            return "present"
        if lineage.is_older((name, schema)):
            straight = lineage.straight((name, schema))
            return "alias" if straight is not None and not straight[0] else "upcast"
        present = lineage.present(name)
        if present is not None:
            return "newer" if schema > present else "too old"
        return "retired" if name in retired else "unknown"

    return read
