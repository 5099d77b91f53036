"""Random chains of upcasters over random histories: every way of reading gives what plain Python gives."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import Aggregate, Event, JsonObject, Upcaster, open_store, subscribe, upcasts
from eventstore.backend import PreparedRow, StreamWrite, WriteRequest
from eventstore.expected import ANY
from eventstore.frozen import FrozenMeta
from eventstore.identifier import new_ids
from eventstore.loading import load, moment

STEPS = st.lists(st.sampled_from(["same", "add", "split", "drop", "double"]), max_size=5)
HISTORIES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), max_size=12)


def step(kind: str, version: int) -> Upcaster[Any]:
    """One upcaster of a chain: what it makes of n is what `expected` says."""
    if kind in {"same", "add"}:

        @upcasts("Noted", version)
        def one(data: JsonObject) -> JsonObject:
            return {"n": data["n"] + (kind == "add")}

        return one

    @upcasts("Noted", version, into={"Noted": version + 1})
    def many(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
        for n in made_of(kind, data["n"]):
            yield "Noted", {"n": n}

    return many


def made_of(kind: str, n: int) -> list[int]:
    """The same in plain Python."""
    return {"same": [n], "add": [n + 1], "split": [n, -n], "drop": [n] if n % 2 else [], "double": [n, n, n]}[kind]


def expected(kinds: list[str], version: int, n: int) -> list[int]:
    values = [n]
    for kind in kinds[version - 1 :]:
        values = [each for value in values for each in made_of(kind, value)]
    return values


def define(kinds: list[str]) -> tuple[type[Event], type[Aggregate[Any]]]:
    upcasters = [step(kind, i) for i, kind in enumerate(kinds, start=1)]
    body = {"__annotations__": {"n": int}, "__module__": __name__}
    noted: Any = FrozenMeta("Noted", (Event,), body, version=len(kinds) + 1, upcasters=upcasters)

    class Notes(Aggregate[noted], category="notes"):  # type: ignore[valid-type]  # made by a function
        seen: tuple[int, ...] = ()

        def evolve(self, event: Any) -> "Notes":
            return Notes((*self.seen, event.n))

    return noted, Notes


def row(version: int, n: int) -> PreparedRow:
    return ("Noted", version, next(iter(new_ids(1))), None, None, None, None, None, f'{{"n":{n}}}')


@settings(max_examples=150, deadline=None)
@given(kinds=STEPS, history=HISTORIES, page_size=st.integers(1, 4), cut=st.integers(0, 12))
def test_any_chain_over_any_history_reads_the_same_in_every_way(
    kinds: list[str], history: list[tuple[int, int]], page_size: int, cut: int
) -> None:
    history = [(min(version, len(kinds) + 1), n) for version, n in history]
    wanted = [
        (place, index, n)
        for place, (version, first) in enumerate(history, start=1)
        for index, n in enumerate(expected(kinds, version, first))
    ]
    noted, notes = define(kinds)
    with open_store("memory://", events=noted) as store:
        for version, n in history:
            store.backend.commit([WriteRequest([StreamWrite("notes-1", ANY, [row(version, n)], None)])])

        log = list(store.read_log(page_size=page_size))
        assert [(each.version, each.sub_index, each.event.n) for each in log] == wanted  # type: ignore[attr-defined]  # made by a function
        assert list(store.read_log(types=[noted], page_size=page_size)) == log
        assert list(store.read_stream("notes-1", backwards=True, page_size=page_size)) == log[::-1]
        assert list(store.read_log(up_to=cut)) + list(store.read_log(after=cut)) == log
        for part in ({}, {"at_version": cut}, {"position": cut}):
            loaded = load(store.backend, notes, "1", moment(**part))  # type: ignore[arg-type]  # one bound or the other
            until = cut if part else len(history)
            assert loaded.state == notes(tuple(n for place, _, n in wanted if place <= until))  # type: ignore[call-arg]  # made by a function
            assert loaded.version == min(until, len(history))
        with subscribe(store, page_size=page_size) as subscription:
            batches = []
            while (batch := subscription.poll(0)) is not None:
                batches.append(batch)
                assert [each for b in batches for each in b.events] == list(store.read_log(up_to=batch.position))
