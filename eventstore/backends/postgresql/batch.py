"""A wave of requests as the arguments of one statement, and the database's answer as results."""

from collections.abc import Collection, Sequence

from eventstore.backend import PreparedRow, StreamWrite, Written
from eventstore.backends.postgresql.arguments import (
    SEPARATOR,
    expected_code,
    instants,
    item_arguments,
    joined,
    lock_arguments,
    nullable,
    numbers,
)
from eventstore.backends.postgresql.guard import Name, guarded_names, tag_key, write_key
from eventstore.backends.postgresql.wave import Chain
from eventstore.errors import AppendConditionFailed, WrongExpectedVersion
from eventstore.expected import verify_expected


class Batch:
    """The arguments for one wave, and where its requests are in it.

    Args:
        chains: the requests.
        alone: names that nobody else may write before the transaction has ended.
    """

    def __init__(self, chains: Sequence[Chain], alone: Collection[Name] = ()) -> None:
        self.chains = chains
        self._alone = alone
        self._streams: list[str] = []
        self._expected: list[int] = []
        self._rows: list[PreparedRow] = []
        self._tags: list[tuple[str, str, int]] = []
        self._writes: list[int] = []
        self._steps: list[int] = []
        self._ranks: list[int] = []
        self._places: list[tuple[int, int, int, int, int]] = []
        self._items = [(chain, item) for chain in chains if chain.condition for item in chain.condition.query.items]
        for stream, rank, chain, write in _lines(chains):
            self._streams.append(stream)
            self._expected.append(expected_code(write.expected))
            if write.rows:
                self._add(rank, chain, write)

    def _add(self, rank: int, chain: Chain, write: StreamWrite) -> None:
        step, number = 0, len(self._streams)
        for place, request in chain.parts:
            part = write if len(chain.writes) > 1 else request.writes[0]
            count = len(part.rows)
            if part.tags is not None:
                for i, (row, tags) in enumerate(zip(part.rows, part.tags, strict=True), start=rank + 1):
                    self._tags += [(tag, row[0], i) for tag in tags]
            self._rows += part.rows
            self._steps += range(step + 1, step + count + 1)
            self._ranks += range(rank + 1, rank + count + 1)
            step, rank = step + count, rank + count
            self._places.append((place, number, step, rank, count))
        self._writes += [number] * step

    @property
    def plain(self) -> bool:
        """Whether it is events alone: no tags, conditions, guarded streams or ids of the callers' own."""
        if self._alone or self._tags or self._items or len(self._writes) != len(self._rows):
            return False
        return all(
            len(request.writes) == 1 and not request.own_ids for chain in self.chains for _, request in chain.parts
        )

    def plain_arguments(self) -> list[str | None]:
        """Those of `append_plain`, in order."""
        types, schemas, ids, occurred, correlations, causations, metadatas, _, payloads = zip(*self._rows, strict=True)
        streams, writes = self._streams, self._writes
        keys = {write_key(name, streams[number - 1]) for name, number in set(zip(types, writes, strict=True))}
        return [
            joined(streams),
            numbers(self._expected),
            numbers(sorted(keys)),
            numbers(writes),
            numbers(self._steps),
            joined(types),
            numbers(schemas),
            SEPARATOR.join(ids),
            instants(occurred),
            nullable(correlations),
            nullable(causations),
            nullable(metadatas),
            joined(payloads),
        ]

    def arguments(self) -> list[str | None]:
        """Those of `append`, in order."""
        types, schemas, ids, occurred, correlations, causations, metadatas, tag_lists, payloads = zip(
            *self._rows, strict=True
        )
        streams = joined(self._streams)
        one_each = len(self._streams) == len(types) == len(set(self._writes))
        in_order = all(len(chain.writes) == 1 for chain in self.chains)
        return [
            streams,
            numbers(self._expected),
            streams if one_each else SEPARATOR.join([self._streams[i - 1] for i in self._writes]),
            numbers(self._writes),
            numbers(self._steps),
            None if in_order else numbers(self._ranks),
            joined(types),
            numbers(schemas),
            SEPARATOR.join(ids),
            instants(occurred),
            nullable(correlations),
            nullable(causations),
            nullable(metadatas),
            nullable(tag_lists),
            joined(payloads),
            *self._tag_arguments(),
            *self._lock_arguments(types),
            *self._item_arguments(),
            self._own_ids(),
        ]

    def _tag_arguments(self) -> list[str | None]:
        if not self._tags:
            return [None, None, None]
        tags, types, ranks = zip(*self._tags, strict=True)
        return [joined(tags), joined(types), numbers(ranks)]

    def _lock_arguments(self, types: Sequence[str]) -> list[str | None]:
        written = {write_key(name, self._streams[i - 1]) for name, i in set(zip(types, self._writes, strict=True))}
        written.update(tag_key(tag) for tag, _, _ in self._tags)
        guarded = {name for chain in self.chains for name in guarded_names(chain.parts[0][1])}
        return lock_arguments(written, guarded.union(self._alone))

    def _item_arguments(self) -> list[str | None]:
        return item_arguments([(chain.condition.after, item) for chain, item in self._items if chain.condition])

    def _own_ids(self) -> str | None:
        requests = [request for chain in self.chains for _, request in chain.parts if request.own_ids]
        return SEPARATOR.join(row[2] for each in requests for write in each.writes for row in write.rows) or None

    def results(self, versions: Sequence[int], first: int, positions: Sequence[int] | None) -> dict[int, Written]:
        """What each request gets, by its place in the group."""
        found: dict[int, Written] = {}
        for place, number, step, rank, count in self._places:
            position = first + rank - 1 if positions is None else positions[rank - 1]
            apart = () if positions is None else tuple(positions[rank - count : rank])
            reached = {self._streams[number - 1]: versions[number - 1] + step}
            if place in found:  # it has several streams
                reached |= found[place].versions
                position = max(position, found[place].position)
                apart = tuple(sorted(apart + found[place].apart))
            found[place] = Written(position, reached, apart)
        return found

    def refusals(self, versions: Sequence[int], conflicts: Sequence[int | None] | None) -> dict[int, Exception]:
        """Why the wave was not stored: the errors of those requests that are refused."""
        actual = dict(zip(self._streams, versions, strict=True))
        found: dict[int, Exception] = {}
        for (chain, _), position in zip(self._items, conflicts or (), strict=False):
            if position is not None and chain.condition is not None:
                found[chain.parts[0][0]] = AppendConditionFailed(chain.condition.after, position)
        for chain in self.chains:
            for place, request in chain.parts:
                error = _mismatch(request.writes, actual)
                if error is None:
                    break  # the parts behind it depend on it, and are for the next wave
                found.setdefault(place, error)
        return found


def _lines(chains: Sequence[Chain]) -> list[tuple[str, int, Chain, StreamWrite]]:
    """Every write with its stream and with the number of events that stand before it in the log.

    Rows are written in the order of their streams' names, so that no two transactions can wait for each other; their
    positions keep the order in which the caller gave them.
    """
    found, rank = [], 0
    for chain in sorted(chains, key=lambda each: each.writes[0].stream):
        for write in chain.writes:
            found.append((write.stream, rank, chain, write))
            rank += len(write.rows)
        for _, request in chain.parts[1:]:
            rank += len(request.writes[0].rows)
    return found if len(found) == len(chains) else sorted(found, key=lambda each: each[0])


def _mismatch(writes: Sequence[StreamWrite], actual: dict[str, int]) -> WrongExpectedVersion | None:
    try:
        for write in writes:
            verify_expected(write.stream, write.expected, actual[write.stream])
    except WrongExpectedVersion as error:
        return error
    return None
