"""Which requests of a group can share one transaction.

A transaction checks everything first and then stores everything, so requests that depend on each other cannot all be in
it: one that appends to a stream that another writes, one whose condition could match what another writes, or one that
guards a stream that another writes. They wait for the next wave, except where it is clear beforehand how they follow
each other: then they form a chain.
"""

from collections.abc import Sequence

from eventstore.backend import WriteRequest
from eventstore.backends.postgresql.guard import Name, guarded_names, written_names
from eventstore.expected import ANY, NO_STREAM, STREAM_EXISTS

Numbered = tuple[int, WriteRequest]
"""A request, and its place in the group."""


class Chain:
    """Requests that are accepted or refused together, as the first one is.

    Several requests are in one chain only if each appends to the same single stream and would surely be accepted after
    the one before it.
    """

    __slots__ = ("condition", "parts", "writes")

    def __init__(self, part: Numbered) -> None:
        self.parts = [part]
        self.writes, self.condition = part[1].writes, part[1].condition

    def join(self, part: Numbered) -> bool:
        """Adds the request if it is certain to be accepted after those of the chain."""
        if not _simple(part[1]) or not _simple(self.parts[0][1]):
            return False
        expected = part[1].writes[0].expected
        if expected is not ANY and expected is not STREAM_EXISTS and expected != self._version():
            return False
        self.parts.append(part)
        return True

    def _version(self) -> int | None:
        """The stream's version after the chain, where that is certain."""
        first = self.writes[0].expected
        known = 0 if first is NO_STREAM else first
        added = sum(len(request.writes[0].rows) for _, request in self.parts)
        return known + added if isinstance(known, int) else None


def _simple(request: WriteRequest) -> bool:
    return len(request.writes) == 1 and request.condition is None


def _depends(request: WriteRequest) -> bool:
    return request.condition is not None or request.has_guards


def next_wave(waiting: Sequence[Numbered]) -> tuple[list[Chain], list[Numbered]]:
    """The requests that can be in one transaction now, as chains, and those that have to wait."""
    chains: dict[str, Chain] = {}
    later: list[Numbered] = []
    claims = _Claims() if any(_depends(request) for _, request in waiting) else None
    for part in waiting:
        request = part[1]
        holder = _holder(chains, request)
        if claims is not None and not claims.admit(request, free=holder is None):
            later.append(part)
        elif holder is None:
            chain = Chain(part)
            for each in request.writes:
                if each.rows:
                    chains[each.stream] = chain
        elif not holder.join(part):
            later.append(part)
    return list(dict.fromkeys(chains.values())), later


def _holder(chains: dict[str, Chain], request: WriteRequest) -> Chain | None:
    for each in request.writes:
        if each.stream in chains:
            return chains[each.stream]
    return None


class _Claims:
    """What the requests of a wave write and guard: the rule of `guard`, within one transaction."""

    def __init__(self) -> None:
        self._written: set[Name] = set()
        self._guarded: set[Name] = set()

    def admit(self, request: WriteRequest, *, free: bool) -> bool:
        """Claims the request's names, unless one request writes what another one depends on."""
        written, guarded = written_names(request), guarded_names(request)
        if not free or not guarded.isdisjoint(self._written) or not written.isdisjoint(self._guarded):
            return False
        self._written |= written
        self._guarded |= guarded
        return True
