"""The application for asyncio has what the other one has, under the same names, and blocks nobody."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from eventfold import (
    Application,
    AsyncApplication,
    AsyncModelQuery,
    ModelQuery,
    Progress,
    Recording,
    SqlTable,
)
from eventstore.signal import ThreadBell
from tests.commands.bank import Account, Deposited, Withdrawn
from tests.projections.shop import EVENTS, Stock, bindings, fill

T = TypeVar("T")


class AccountObject(Recording[Account]):
    def deposit(self, amount: int) -> None:
        self.record(Deposited(amount))


def public(cls: type) -> dict[str, Any]:
    return {name: each for name, each in inspect.getmembers(cls) if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults; the name of a `**` plays no part."""
    found = list(inspect.signature(function).parameters.values())
    return [
        ("**" if each.kind is each.VAR_KEYWORD else each.name, each.kind, repr(each.default).partition(" at 0x")[0])
        for each in found
    ]


PLUMBING = {"engine", "inner", "model", "read", "selection", "track", "was_done"}
"""What is made of these, or asks them, beneath the names that users know."""


@pytest.mark.parametrize(("sync", "awaited"), [(Application, AsyncApplication), (ModelQuery, AsyncModelQuery)])
def test_every_public_name_is_there_with_the_same_parameters(sync: type, awaited: type) -> None:
    theirs, ours = public(sync), public(awaited)
    for name in PLUMBING:
        theirs.pop(name, None)

    assert theirs.keys() <= ours.keys()
    for name, each in theirs.items():
        if callable(each):
            assert _shown(parameters(ours[name])) == _shown(parameters(each)), name
        else:
            assert isinstance(ours[name], property), name


def _shown(found: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, str]]:
    return [(name, kind, "a function" if "<function" in default else default) for name, kind, default in found]


def test_what_both_are_made_with_is_the_same() -> None:
    assert parameters(AsyncApplication.__init__) == parameters(Application.__init__)


def run(url: str, work: Callable[[AsyncApplication], Awaitable[T]]) -> T:
    async def main() -> T:
        async with AsyncApplication(url, projections=bindings(SqlTable), events=EVENTS, migrate=True) as app:
            return await work(app)

    return asyncio.run(main())


def test_an_object_that_records_is_opened_and_saved(sqlite_url: str) -> None:
    async def work(app: AsyncApplication) -> Any:
        account = await app.open(AccountObject, "a-1")
        nothing = await app.save(account)
        account.deposit(5)
        return nothing, await app.save(account), await app.load(Account, "a-1", at_version=1)

    nothing, receipt, state = run(sqlite_url, work)

    assert nothing is None
    assert receipt.versions == {"account-a-1": 1}
    assert state == Account(5)


def test_progress_is_told_in_the_event_loop(sqlite_url: str) -> None:
    async def work(app: AsyncApplication) -> Any:
        loop, told, rebuilt = asyncio.get_running_loop(), [], []

        def caught_up(position: int, head: int) -> None:
            assert asyncio.get_running_loop() is loop
            told.append((position, head))

        def folded(progress: Progress) -> None:
            assert asyncio.get_running_loop() is loop
            rebuilt.append(progress.position)

        await asyncio.to_thread(fill, app.sync.store, 20)
        await app.catch_up(caught_up)
        return told, await app.rebuild("stock", folded), rebuilt

    told, events, rebuilt = run(sqlite_url, work)

    assert told[-1] == (20, 20)
    assert events > 0
    assert rebuilt[-1] == 20


def wait_until(app: Application, position: int) -> None:
    """Waits for a worker of the same application, without helping it."""
    bell = ThreadBell(app.store.signal)
    while min(track.position for track in app.engine.tracks) < position:
        bell.wait(1.0)
    bell.close()


def test_a_worker_keeps_the_read_models_up_to_date_while_its_block_runs(sqlite_url: str) -> None:
    async def work(app: AsyncApplication) -> bool:
        async with app.worker() as worker:
            await asyncio.to_thread(fill, app.sync.store, 5)
            await asyncio.to_thread(wait_until, app.sync, 5)
            inside = worker.running
        return inside and not worker.running

    assert run(sqlite_url, work)


def test_rows_are_iterated_over_and_the_table_is_there_for_any_sql(sqlite_url: str) -> None:
    async def work(app: AsyncApplication) -> Any:
        await asyncio.to_thread(fill, app.sync.store, 20)
        await app.catch_up()
        query = app.query(Stock).order_by("item")
        return [row async for row in query], await query.all(), query.table

    iterated, rows, table = run(sqlite_url, work)

    assert iterated == rows
    assert len(rows) > 1
    assert "item" in table.c


def test_it_names_itself_and_its_parts_without_a_database() -> None:
    app = AsyncApplication("sqlite:////nowhere/at/all.db", name="shop", events=[Deposited, Withdrawn])

    assert app.name == "shop"
    assert app.parts.events == (Deposited, Withdrawn)
