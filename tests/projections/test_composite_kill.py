"""Processes killed while they keep rows that look up others: rows, and what they have looked up, belong to their position."""

import os
import random

from eventfold import SqlTable, open_store
from projections import Engine
from tests.projections import enriched
from tests.projections.nursery import Nursery
from tests.projections.shop import position_of, rows_of

KILLS = int(os.environ.get("EVENTFOLD_COMPOSITE_KILLS", "4"))
NAMES = ("customers", "spendings")


def test_given_processes_killed_while_they_project_then_every_table_equals_the_fold_up_to_its_checkpoint(
    url: str,
) -> None:
    bound = [each.into(SqlTable(each.name)) for each in (enriched.customers, enriched.spendings)]
    moved = 0
    with Nursery(url) as nursery:
        for seed in range(KILLS):
            nursery.run_until_killed(seed, "enrich", 40 + random.Random(seed).randrange(60))
            with open_store(url, events=enriched.EVENTS) as store:
                engine = Engine(store, bound)
                for name in NAMES:
                    assert engine.find(name)[0].generation  # made here if it died before it came to that
                    position = position_of(engine, name)
                    expected = enriched.Straight().fold(store.read_log(up_to=position))
                    assert rows_of(engine, name) == expected[name]
                    moved += position > 0

    with open_store(url, events=enriched.EVENTS) as store:
        engine = Engine(store, bound)
        engine.catch_up()
        expected = enriched.Straight().fold(store.read_log())
        assert {name: rows_of(engine, name) for name in NAMES} == {name: expected[name] for name in NAMES}
    assert moved, "all of them were killed before they had projected anything"
