"""A process to be killed: appends and projects, or rebuilds, until it is ended. Run by `test_kill.py`."""

import os
import random
import sys
import threading

from projections import rebuild
from tests.projections.shop import Added, Closed, Moved, open_engine, open_shop


def main() -> None:
    url, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)
    store = open_shop(url)
    engine = open_engine(store, batch_size=chance.randrange(1, 30))

    def project() -> None:
        while True:
            engine.step()

    def build() -> None:
        own = open_engine(store)
        while True:
            rebuild(store, own.find("stock")[0], max_rows=2, write_seconds=0.0)

    threading.Thread(target=project, daemon=True).start()
    if seed % 3 == 0:
        threading.Thread(target=build, daemon=True).start()
    os.write(1, b"ready\n")
    while True:
        item = f"i{chance.randrange(6)}"
        event = chance.choice([Added(chance.randrange(20)), Moved(f"i{chance.randrange(6)}", 1), Closed()])
        store.append(f"item-{item}", [event] * chance.randrange(1, 4))
        os.write(1, b".")


main()
