"""A process to be killed: projects what it appends into SQL and Elasticsearch, until it is ended.

It reports each thing done as a dot: an append, and before and after each write of rows.
Run by `test_elasticsearch_kill.py`: `python -m tests.projections.victim_elasticsearch LOG ELASTICSEARCH NAME SEED`.
"""

import os
import random
import sys
from collections.abc import Sequence

from projections.targets.elasticsearch_bulk import Bulk, Document
from tests.projections.searched_shop import open_searched
from tests.projections.shop import open_shop
from tests.projections.victim import append


def report_writes() -> None:
    """A dot just before a bulk is sent, and one between the rows and their position."""
    write = Bulk.write

    def reported(bulk: Bulk, documents: Sequence[Document], version: int) -> dict[str, str]:
        os.write(1, b".")
        refused = write(bulk, documents, version)
        os.write(1, b".")
        return refused

    setattr(Bulk, "write", reported)  # noqa: B010 - a method, to a type checker


def main() -> None:
    log, url, name, seed = sys.argv[1:]
    chance = random.Random(int(seed))
    store = open_shop(log)
    report_writes()
    engine = open_searched(store, url, name, batch_size=chance.randrange(1, 12))
    os.write(1, b"ready\n")
    while True:
        for _ in range(chance.randrange(1, 4)):
            append(store, chance)
        os.write(1, b".")
        engine.step()


main()
