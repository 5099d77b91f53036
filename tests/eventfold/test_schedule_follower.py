"""A worker dispatches scheduled commands when they are due, and sleeps until then."""

import asyncio
from collections.abc import Awaitable, Callable

from eventfold import Application, AsyncApplication, Envelope, EventStore, Receipt
from eventfold.fire import firing_of
from eventstore.signal import ThreadBell
from tests.commands.bank import HANDLERS, Account, Deposit


def wait_for(store: EventStore, done: Callable[[], bool]) -> None:
    bell = ThreadBell(store.signal)
    while not done():
        bell.wait(1.0)
    bell.close()


def test_a_worker_fires_what_is_scheduled_before_and_while_it_works(sqlite_url: str) -> None:
    with Application(sqlite_url, handlers=HANDLERS) as app:
        app.schedule(Deposit("a-1", 1), after=0)
        with app.worker():
            app.schedule(Deposit("a-1", 1), after=0.05)
            wait_for(app.store, lambda: app.store.stream_version("account-a-1") == 2)

        assert app.load(Account, "a-1").balance == 2
        assert {each.state for each in app.schedules()} == {"done"}


def test_an_async_worker_fires_in_the_event_loop_that_has_begun_it(sqlite_url: str) -> None:
    loops = []

    async def watch(envelope: Envelope, call_next: Callable[[Envelope], Awaitable[Receipt]]) -> Receipt:
        loops.append(asyncio.get_running_loop())
        return await call_next(envelope)

    async def main() -> None:
        async with AsyncApplication(sqlite_url, handlers=HANDLERS, middleware=[watch]) as app, app.worker():
            await app.schedule(Deposit("a-1", 1), after=0)
            await asyncio.to_thread(wait_for, app.sync.store, lambda: app.sync.store.stream_version("account-a-1") == 1)
            assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_it_knows_how_long_to_sleep(sqlite_url: str) -> None:
    with Application(sqlite_url, handlers=HANDLERS) as app:
        firing = firing_of(app.parts, app.send)
        firing.step()
        assert firing.due_in() is None

        app.parts.schedules.clock = lambda: 1_000_000
        app.schedule(Deposit("a-1", 1), after=90)
        firing.step()

        assert firing.due_in() == 90.0


def test_one_that_is_to_end_lets_go_of_what_it_has_not_begun(sqlite_url: str) -> None:
    with Application(sqlite_url, handlers=HANDLERS) as app:
        for _ in range(3):
            app.schedule(Deposit("a-1", 1), after=0)
        going = iter([True, False, False])
        firing_of(app.parts, app.send, lambda: next(going)).step()

        assert app.load(Account, "a-1").balance == 1
        assert app.fire_due() == 2
