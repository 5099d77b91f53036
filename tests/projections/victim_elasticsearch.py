"""A process to be killed: projects what it appends into SQL and Elasticsearch, until it is ended.

Run by `test_elasticsearch_kill.py`: `python -m tests.projections.victim_elasticsearch LOG ELASTICSEARCH NAME SEED`.
"""

import os
import random
import sys
import threading

from tests.projections.searched_shop import open_searched
from tests.projections.shop import open_shop
from tests.projections.victim import append


def main() -> None:
    log, url, name, seed = sys.argv[1:]
    chance = random.Random(int(seed))
    store = open_shop(log)
    engine = open_searched(store, url, name, batch_size=chance.randrange(1, 30))

    def follow() -> None:
        while True:
            engine.step()

    threading.Thread(target=follow, daemon=True).start()
    os.write(1, b"ready\n")
    while True:
        append(store, chance)
        os.write(1, b".")


main()
