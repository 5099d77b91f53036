"""Append conditions hold between processes: of two that exclude each other, the log never has both."""

import random
import subprocess
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import structs

from eventstore import (
    AppendCondition,
    AppendConditionFailed,
    Event,
    EventStore,
    NewEvent,
    Query,
    WrongExpectedVersion,
    open_store,
)
from eventstore.backends.postgresql.guard import guard_keys, guarded_names, locks, tag_key, write_key, written_names
from eventstore.new_event import StreamAppend
from eventstore.preparation import prepare
from tests.eventstore.backends.postgresql import Marked, Ticked, connected, opened, until, waits_for_a_lock

ROOT = Path(__file__).parents[3]


def event(n: int, *tags: str) -> NewEvent[Ticked]:
    return NewEvent(Ticked(n), tags=tags)


def test_a_condition_waits_for_a_matching_append_in_flight_and_sees_it(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with connected(store) as connection:
            store.append("a-1", [event(1, "name:ada", "x")], connection=connection)
            claim = pool.submit(
                store.append, "b-1", [event(2, "y")], condition=AppendCondition(Query.of(tags=["name:ada"]))
            )
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        with pytest.raises(AppendConditionFailed) as refused:
            claim.result()
        assert refused.value.position == 1


def test_a_matching_append_waits_for_a_condition_in_flight_and_comes_behind_it(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with connected(store) as connection:
            condition = AppendCondition(Query.of(Ticked, tags=["name:ada"]))
            guarded = store.append("a-1", [event(1, "x")], condition=condition, connection=connection)
            other = pool.submit(store.append, "b-1", [event(2, "name:ada")])
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        assert other.result().position > guarded.position


def test_a_condition_over_types_alone_excludes_untagged_events_of_these_types(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(2) as pool:
        with connected(store) as connection:
            store.append("a-1", [Ticked(1)], connection=connection)
            store.append("b-1", [Marked(1)], condition=AppendCondition(Query.of(Marked)))  # another type: at once
            claim = pool.submit(store.append, "b-2", [Marked(2)], condition=AppendCondition(Query.of(Ticked)))
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        with pytest.raises(AppendConditionFailed):
            claim.result()


def test_a_condition_over_other_tags_waits_for_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store, connected(store) as connection:
        store.append("a-1", [event(1, "name:ada")], connection=connection)

        claimed = store.append("b-1", [event(2, "name:bob")], condition=AppendCondition(Query.of(tags=["name:bob"])))

        assert claimed.versions == {"b-1": 1}


def test_a_guard_waits_for_an_append_in_flight_to_its_stream_and_sees_it(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with connected(store) as connection:
            store.append("a-1", [Ticked(1)], connection=connection)
            guards = pool.submit(store.append_all, [StreamAppend("b-1", [Marked(2)]), StreamAppend("a-1", [], 0)])
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        with pytest.raises(WrongExpectedVersion, match=r"'a-1'.*it is at version 1"):
            guards.result()


def test_an_append_to_a_guarded_stream_waits_for_the_guard_and_comes_behind_it(postgres_url: str) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with connected(store) as connection:
            appends = [StreamAppend("b-1", [Marked(2)]), StreamAppend("a-1", [], 0)]
            guards = store.append_all(appends, connection=connection)
            other = pool.submit(store.append, "a-1", [Ticked(1)])
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        assert other.result().position > guards.position


def test_a_guard_of_another_stream_waits_for_nobody(postgres_url: str) -> None:
    with opened(postgres_url) as store, connected(store) as connection:
        store.append("a-1", [Ticked(1)], connection=connection)

        appended = store.append_all([StreamAppend("b-1", [Marked(2)]), StreamAppend("c-1", [], 0)])

        assert appended.versions == {"b-1": 1}


@pytest.mark.parametrize("query", [Query.of(tags=["a", "b"]), Query.of(tags=["b", "a"]), Query.of(Ticked, tags=["b"])])
def test_two_conditions_over_the_same_tags_exclude_each_other_whichever_they_lock(
    postgres_url: str, query: Query
) -> None:
    with opened(postgres_url) as store, ThreadPoolExecutor(1) as pool:
        with connected(store) as connection:
            mine = AppendCondition(Query.of(tags=["a", "b"]))
            store.append("a-1", [event(1, "a", "b")], condition=mine, connection=connection)
            claim = pool.submit(store.append, "b-1", [event(2, "a", "b")], condition=AppendCondition(query))
            until(lambda: waits_for_a_lock(postgres_url))
            connection.commit()

        with pytest.raises(AppendConditionFailed):
            claim.result()


def test_tags_in_any_number_and_order_find_the_same_conflict(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        store.append("a-1", [event(n, "hot", f"cold:{n}", f"even:{n % 2}") for n in range(300)])
        chance = random.Random(5)

        for _ in range(100):
            n, after = chance.randrange(300), chance.randrange(300)
            tags = chance.sample(["hot", f"cold:{n}", f"even:{n % 2}"], chance.randint(1, 3))
            types: list[type[Event]] = chance.choice([[], [Ticked], [Marked, Ticked], [Marked]])
            condition = AppendCondition(Query.of(*types, tags=tags), after)
            found = [each.position for each in store.read_log(query=condition.query, after=after)]
            with connected(store) as connection:
                if not found:
                    store.append("b-1", [Ticked(1)], condition=condition, connection=connection)
                    continue
                with pytest.raises(AppendConditionFailed) as refused:
                    store.append("b-1", [Ticked(1)], condition=condition, connection=connection)
                assert refused.value.position in found


def test_every_event_that_matches_shares_a_lock_with_the_condition() -> None:
    chance = random.Random(11)
    for _ in range(500):
        tags = chance.sample("abcdef", chance.randint(0, 4))
        written = prepare([StreamAppend("a-1", [event(1, *tags)])], None, max_payload=100)
        queries = [
            Query.of(*chance.sample(["Ticked", "Marked"], k), tags=chance.sample("abcdef", max(j, 1 - k)))
            for k in range(3)
            for j in range(3)
        ]
        for query in [*queries, queries[0] | queries[4] | queries[8]]:
            matches = any(
                (not item.types or "Ticked" in item.types) and set(item.tags) <= set(tags) for item in query.items
            )
            shared = written_names(written) & guarded_names(structs.replace(written, condition=AppendCondition(query)))
            assert shared or not matches


def test_locks_are_taken_in_one_order_and_each_once() -> None:
    written = [tag_key(f"tag-{n}") for n in range(5000)]
    written += [write_key(f"type-{n}", f"a-{m}") for n in range(200) for m in range(50)]
    guarded = [("tag", "tag-3"), ("type", "type-4"), ("stream", "a-5")]

    taken = locks(written, guarded)

    keys = [key for key, _ in taken]
    assert keys == sorted(set(keys))
    assert len(keys) <= 1024 + 64 * 16
    assert {key for key, exclusive in taken if exclusive} == {key for name in guarded for key in guard_keys(name)}


def test_whoever_writes_a_name_shares_a_lock_with_whoever_guards_it() -> None:
    for n in range(200):
        name, stream = f"type-{n}", f"a-{n * n}"

        key = write_key(name, stream)

        assert key in guard_keys(("type", name))
        assert key in guard_keys(("stream", stream))
        assert key not in guard_keys(("tag", name))


def race(store: EventStore, seed: int, steps: int) -> None:
    """Claims names that may be claimed once, takes turns that may be taken once, and appends without any condition."""
    chance = random.Random(seed)
    for n in range(steps):
        name, seen = f"name:{chance.randrange(40)}", store.head()
        tags = chance.sample([name, f"by:{seed}"], 2)
        claim = chance.choice(
            [
                Query.of(Ticked, tags=[name]),
                Query.of(tags=[name]),
                Query.of(Marked, tags=["never"]) | Query.of(Ticked, tags=[name]),
            ]
        )
        what, condition = chance.choice(
            [
                (NewEvent(Ticked(n), tags=tags), AppendCondition(claim)),
                (NewEvent(Marked(seen), tags=["turn"]), AppendCondition(Query.of(Marked), seen)),
                (Marked(n), None),
            ]
        )
        try:
            store.append(f"s-{chance.randrange(10)}", [what], condition=condition)
        except AppendConditionFailed:
            continue


def check(store: EventStore) -> None:
    """Holds every event against the condition under which it was stored."""
    claimed: dict[str, list[int]] = defaultdict(list)
    marked: list[int] = []
    for each in store.read_log():
        match each.event:
            case Ticked():
                (name,) = (tag for tag in each.tags if tag.startswith("name:"))
                claimed[name].append(each.position)
            case Marked(seen):
                if "turn" in each.tags:
                    assert [position for position in marked if position > seen] == []
                marked.append(each.position)
    assert len(claimed) > 30
    assert all(len(positions) == 1 for positions in claimed.values())
    assert len(marked) > 10


@pytest.mark.parametrize("seed", [1, 2])
def test_threads_of_several_stores_never_break_a_condition(postgres_url: str, seed: int) -> None:
    with opened(postgres_url) as one, opened(postgres_url) as other:
        begin = threading.Barrier(8)

        def run(n: int) -> None:
            begin.wait()
            race((one, other)[n % 2], 100 * seed + n, 60)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, range(8)))
        check(one)


def test_processes_never_break_a_condition(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        program = (
            "import sys; from tests.eventstore.backends.test_postgresql_conditions import race_in_process\n"
            "race_in_process(sys.argv[1], int(sys.argv[2]))"
        )
        running = [
            subprocess.Popen([sys.executable, "-c", program, postgres_url, str(seed)], cwd=ROOT, stderr=subprocess.PIPE)
            for seed in (7, 8)
        ]
        said = [process.communicate()[1] for process in running]

        assert [process.returncode for process in running] == [0, 0], said
        check(store)


def race_in_process(url: str, seed: int) -> None:
    with open_store(url, events=(Ticked, Marked)) as store, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: race(store, 10 * seed + n, 80), range(4)))
