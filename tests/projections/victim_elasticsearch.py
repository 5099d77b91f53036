"""A process to be killed: projects what it appends into SQL and Elasticsearch, until it is ended.

It reports each thing done as a dot: an append, before and after each write of rows, and between a swap and the alias.
Run by `test_elasticsearch_kill.py` in a nursery.
"""

import os
import random
from collections.abc import Callable, Sequence
from functools import partial

from eventfold import EventStore
from projections import Engine, partition_build, rebuild
from projections.targets.elasticsearch_alias import LiveAlias
from projections.targets.elasticsearch_bulk import Bulk, Document
from tests.projections.searched_shop import open_searched
from tests.projections.victim import append


def report_writes() -> None:
    """A dot just before a bulk is sent, and one between the rows and their position."""
    write = Bulk.write

    def reported(bulk: Bulk, documents: Sequence[Document], version: int, *, again: bool = False) -> dict[str, str]:
        os.write(1, b".")
        refused = write(bulk, documents, version, again=again)
        os.write(1, b".")
        return refused

    follow = LiveAlias.follow

    def followed(alias: LiveAlias) -> None:
        os.write(1, b".")
        follow(alias)

    setattr(Bulk, "write", reported)  # noqa: B010 - a method, to a type checker
    setattr(LiveAlias, "follow", followed)  # noqa: B010 - the same


def project(store: EventStore, engine: Engine, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 4)):
        append(store, chance)
    os.write(1, b".")
    engine.step()


def rebuild_each(store: EventStore, engine: Engine, chance: random.Random) -> None:
    """Events come in meanwhile and move the live rows."""

    def on_progress(_progress: object) -> None:
        project(store, engine, chance)

    for track in engine.tracks:
        rebuild(store, track, on_progress=on_progress, max_memory=1, write_seconds=0.0)


def again_and_again(
    step: Callable[[EventStore, Engine, random.Random], None], store: EventStore, chance: random.Random, *index: str
) -> None:
    report_writes()
    engine = open_searched(store, *index, batch_size=chance.randrange(1, 12))
    setattr(partition_build, "BATCH", chance.randrange(4, 30))  # noqa: B010 - the same
    os.write(1, b"ready\n")
    while True:
        step(store, engine, chance)


SEARCHED_WORK = {"project": partial(again_and_again, project), "rebuild": partial(again_and_again, rebuild_each)}
