"""Writers, readers, workers and somebody who rebuilds again and again, all at once over one log. Whoever reads checks what he sees.

An item's row only ever grows, and its total follows from the number of its events. So every reader can tell an older row from a
newer one, and a torn row from a whole one.
"""

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from sqlalchemy import select

from eventfold import Application, Event, Recorded, Struct, count_of, projection, sum_of
from eventstore.token import token_of
from projections import rebuild
from projections.rollback import prune, rollback
from projections.target import Target

WRITERS = 8
READERS = 4
WORKERS = 2
ITEMS = [f"i{number:02}" for number in range(24)]
PATIENCE = 60.0


class Bumped(Event, event_type="crowd-bumped"):
    pass


class Tally(Struct, frozen=True):
    item: str
    events: int = 0
    total: int = 0


@projection("tallies")
def tallies(row: Tally | None, recorded: Recorded[Bumped]) -> Tally:
    row = row or Tally(recorded.stream_id)
    return Tally(row.item, row.events + 1, row.total + recorded.version)


class Witness:
    """One reader. It remembers the newest row of each item that it has seen, and never accepts less.

    Args:
        app: of its own process, so to speak.
        remote: whether the rows are on a server of their own, where a search may find older ones than those that are read by their
            key, and the alias shows other programs whole rows, though not always newer ones.
    """

    def __init__(self, app: Application, *, remote: bool) -> None:
        self._app = app
        self._remote = remote
        self._by_key = dict.fromkeys(ITEMS, 1)
        self._found = dict.fromkeys(ITEMS, 1) if remote else self._by_key
        self._looks: list[Callable[[], None]] = [self.get, self.list, self.walk, self.add_up, self.past_the_query]

    def look(self, chance: random.Random) -> None:
        chance.choice(self._looks)()

    def get(self, item: str = ITEMS[0], least: int = 0, token: str | None = None) -> None:
        row = self._app.query(Tally).get(item, after=token, timeout=PATIENCE)
        assert row is not None, item
        assert row.events >= least, (row, least)
        self._accept([row], self._by_key)

    def list(self, token: str | None = None) -> None:
        rows = self._app.query(Tally).all(after=token, timeout=PATIENCE)
        assert [row.item for row in rows] == ITEMS
        self._accept(rows, self._found)

    def walk(self) -> None:
        """Page by page, perhaps with a swap in between."""
        query, rows, page = self._app.query(Tally), list[Tally](), self._app.query(Tally).page(size=7)
        while page.next is not None:
            rows += page.items
            page = query.page(size=7, cursor=page.next)
        assert [row.item for row in [*rows, *page.items]] == ITEMS
        self._accept([*rows, *page.items], self._found)

    def add_up(self) -> None:
        least = sum(self._found.values())
        added = self._app.query(Tally).aggregate(events=sum_of("events"), items=count_of())
        assert added["items"] == self._app.query(Tally).count() == len(ITEMS)
        assert added["events"] >= least

    def past_the_query(self) -> None:
        """Through the open door: plain SQL over the view, or the official client over the alias."""
        query = self._app.query(Tally)
        if self._remote:
            client, name = query.index
            hits = client.search(index=name, size=100)["hits"]["hits"]
            rows = [Tally(**hit["_source"]) for hit in hits]
        else:
            database = self._app.store.backend.sql
            assert database is not None
            with database.reading() as connection:
                rows = [Tally(*row) for row in connection.execute(select(query.table))]
        assert sorted(row.item for row in rows) == ITEMS
        self._accept(rows, dict.fromkeys(ITEMS, 1) if self._remote else self._found)

    @staticmethod
    def _accept(rows: Iterable[Tally], seen: dict[str, int]) -> None:
        for row in rows:
            assert row.events >= seen[row.item], (row, seen[row.item])
            assert row.total == row.events * (row.events + 1) // 2, row
            seen[row.item] = row.events


class Crowd:
    """All of them.

    Args:
        url: of the log's database.
        make_target: gives the target, anew for each application.
        remote: whether it is a server of its own.
        seed: of what they do by chance.

    Attributes:
        swaps: how many generations have taken the place of the one before.
        looks: how often somebody has read.
    """

    def __init__(self, url: str, make_target: Callable[[], Target], *, remote: bool, seed: int) -> None:
        self._url, self._make_target, self._remote, self._seed = url, make_target, remote, seed
        self._over = threading.Event()
        self.swaps = 0
        self.looks = 0

    def run(self, seconds: float, *, swaps: int, looks: int) -> None:
        """Lets them loose for a while, and until so many swaps and looks. What any of them finds wrong ends it, and is raised."""
        with ExitStack() as stack:
            writing, reading, operating = (self._open(stack) for _ in range(3))
            for item in ITEMS:
                writing.store.append(f"item-{item}", [Bumped()])
            assert writing.query(Tally).count(after=token_of(writing.store.head())) == len(ITEMS)
            for _ in range(WORKERS):
                stack.enter_context(self._open(stack).worker())
            with ThreadPoolExecutor(WRITERS + READERS + 1) as pool:
                jobs = [pool.submit(self._guarded, self._write, writing, n) for n in range(WRITERS)]
                jobs += [pool.submit(self._guarded, self._read, reading, n) for n in range(READERS)]
                jobs += [pool.submit(self._guarded, self._operate, operating, 0)]
                self._over.wait(seconds)
                while (self.swaps < swaps or self.looks < looks) and not self._over.wait(0.1):
                    pass
                self._over.set()
            for job in jobs:
                job.result()

    def open(self) -> Application:
        """An application of its own over the log."""
        return Application(self._url, projections=[tallies.into(self._make_target(), partitions=2)], migrate=True)

    def _open(self, stack: ExitStack) -> Application:
        return stack.enter_context(self.open())

    def _guarded(self, work: Callable[[Application, random.Random], None], app: Application, number: int) -> None:
        try:
            work(app, random.Random(f"{self._seed} {work.__name__} {number}"))
        finally:
            self._over.set()

    def _write(self, app: Application, chance: random.Random) -> None:
        """Now and then whoever writes looks at his own write."""
        witness = Witness(app, remote=self._remote)
        while not self._over.is_set():
            item = chance.choice(ITEMS)
            written = app.store.append(f"item-{item}", [Bumped() for _ in range(chance.randrange(1, 4))])
            if chance.random() < 0.1:
                witness.get(item, written.versions[f"item-{item}"], token_of(written.position))
            elif chance.random() < 0.02:
                witness.list(token_of(written.position))
            self._over.wait(chance.random() * 0.02)

    def _read(self, app: Application, chance: random.Random) -> None:
        witness = Witness(app, remote=self._remote)
        while not self._over.is_set():
            witness.look(chance)
            self.looks += 1

    def _operate(self, app: Application, chance: random.Random) -> None:
        """Rebuilds, with much memory or hardly any, goes back to the former rows, or drops them."""
        [track] = app.engine.find("tallies")
        while not self._over.is_set():
            match chance.choice(["rebuild", "rebuild", "rebuild with little memory", "roll back", "prune"]):
                case "rebuild":
                    rebuild(app.store, track)
                case "rebuild with little memory":
                    rebuild(app.store, track, max_memory=1, write_seconds=0.0)
                case "roll back" if any(each.state == "retired" for each in track.target.generations()):
                    rollback(app.store, track)
                case "prune":
                    prune(track)
                    continue
                case _:
                    continue
            self.swaps += 1
