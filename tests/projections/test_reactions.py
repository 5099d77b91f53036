"""Reactions: at least once, in the order of each key, apart from everything else, and never in a rebuild."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Command,
    DefinitionError,
    Event,
    NotFound,
    ReactionFailed,
    Recorded,
    StoreUnavailable,
    UnreadableEvent,
    by_tag,
    handles,
    open_store,
    reaction,
)
from eventstore.share import share_of
from eventstore.token import token_of
from projections import status_of
from projections.reaction_place import ReactionGeneration
from projections.reactor import Reactor
from projections.target import Change
from tests.projections.mailing import IMPATIENT, Order, Ordered, Paid, Post, mail, open_shop, order

PATIENCE_SECONDS = 60.0
LONG, ENDED = 600.0, 0.0


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    chosen: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return chosen


@pytest.fixture(params=["memory", "sqlite"])
def local_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """For what no database has a part in."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def standing(app: Application, name: str = "mail") -> Any:
    return status_of(app.store, app.parts.reaction(name)[1])


def reactor(app: Application, owner: str, seconds: float = LONG, call: Any = None) -> Reactor:
    """A worker's part, which takes the lease."""
    declared, track = app.parts.reactions_in_log[0]
    track.generation.lease([0], owner, seconds)
    partition = track.lanes[0].partition
    return Reactor(app.store, declared, track, partition, owner, call or (lambda each, recorded: each(recorded)))


def test_each_event_is_carried_out_once_and_in_order(any_url: str, stack: ExitStack) -> None:
    post = Post()
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "tea", "milk")
    app.store.append("order-1", [Paid(5)])
    order(app, "order-2", "tea")

    moved = [app.react(), app.react()]

    assert post.sent == [("order-1", 1), ("order-1", 2), ("order-2", 1)]
    assert moved == [4, 0]
    assert (standing(app).state, standing(app).position, standing(app).events) == ("live", 4, 3)


@pytest.mark.parametrize(("start", "expected"), [("now", [3]), ("beginning", [1, 2, 3]), (1, [2, 3])])
def test_where_it_begins_is_decided_when_an_application_that_declares_it_first_opens_the_log(
    sqlite_url: str, start: Any, expected: list[int]
) -> None:
    post = Post()
    with open_shop(sqlite_url) as before:
        order(before, "order-1", "tea", "milk")
    with open_shop(sqlite_url, mail(post, start=start)) as app:
        assert app.store.head() == 2
    with open_shop(sqlite_url) as other:
        order(other, "order-1", "rum")

    with open_shop(sqlite_url, mail(post, start=99)) as again:
        again.react()

    assert [version for _, version in post.sent] == expected


def test_neither_queries_nor_catching_up_nor_a_rebuild_or_reset_or_verification_carry_it_out(
    any_url: str, stack: ExitStack
) -> None:
    post = Post()
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "tea")
    app.react()
    order(app, "order-1", "milk")

    app.catch_up()
    app.rebuild("orders")
    app.verify("orders", repair=True)
    app.reset("orders")
    assert app.query(Order).get("1", after=token_of(1)) is not None

    assert post.sent == [("order-1", 1)]
    app.react()
    assert post.sent == [("order-1", 1), ("order-1", 2)]


def test_what_fails_for_a_moment_is_tried_again_and_nothing_is_parked(local_url: str, stack: ExitStack) -> None:
    post = Post()
    post.refused = {"tea"}
    failing = mail(post)

    def mended(declared: Any, recorded: Recorded[Any]) -> None:
        if post.failures == 2:
            post.refused.clear()
        declared(recorded)

    app = stack.enter_context(open_shop(local_url, failing))
    order(app, "order-1", "tea")
    at_work = reactor(app, "a", call=mended)
    while not at_work.step():
        assert at_work.failure is not None
        assert "no such address: tea" in str(standing(app).error)
        assert standing(app).state == "failed"

    assert post.sent == [("order-1", 1)]
    assert (standing(app).state, standing(app).error) == ("live", None)


def test_what_fails_too_often_is_parked_with_the_later_events_of_its_key_and_all_others_go_on(
    any_url: str, stack: ExitStack
) -> None:
    post = Post()
    post.refused = {"rum"}
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "tea", "rum", "milk")
    order(app, "order-2", "tea")

    with pytest.raises(
        ReactionFailed, match="has parked the events of key '1' from position 2 on: ConnectionError"
    ) as told:
        app.react()
    order(app, "order-1", "water")
    order(app, "order-2", "milk")
    app.react()

    assert (told.value.position, told.value.key, told.value.parked) == (2, "1", True)
    assert post.failures == 3
    assert post.sent == [("order-1", 1), ("order-2", 1), ("order-2", 2)]
    (parked,) = app.parked("mail")
    assert (parked.key, parked.position, parked.events, parked.attempts) == ("1", 2, 3, 3)
    assert (standing(app).state, standing(app).parked, standing(app).lag) == ("parked", 3, 0)


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError()], ids=["exit", "cancelled"])
def test_a_function_that_ends_itself_has_failed_and_ends_no_worker(
    local_url: str, stack: ExitStack, error: BaseException
) -> None:
    post = Post()
    failing = [error] * 6  # three attempts of each reaction

    def send(recorded: Recorded[Any]) -> None:
        if recorded.stream_id == "1" and failing:
            raise failing.pop()
        post.send(recorded)

    @reaction("plain", start="beginning", poison=IMPATIENT)
    def plain(recorded: Recorded[Ordered]) -> None:
        send(recorded)

    @reaction("awaited", start="beginning", poison=IMPATIENT)
    async def awaited(recorded: Recorded[Ordered]) -> None:
        send(recorded)

    app = stack.enter_context(open_shop(local_url, plain, awaited))
    with app.worker():
        order(app, "order-1", "tea")
        order(app, "order-2", "tea")
        wait_for(app, "plain", 2)
        wait_for(app, "awaited", 2)

    assert post.sent == [("order-2", 1)] * 2
    for name in ("plain", "awaited"):
        (parked,) = app.parked(name)
        assert (parked.key, parked.error) == ("1", f"{type(error).__name__}: {error}")
        failing.append(error)
        assert [each.left for each in app.retry_parked(name)] == [1]
        assert [each.left for each in app.retry_parked(name)] == [0]


def test_parked_events_are_carried_out_in_order_when_they_are_retried(any_url: str, stack: ExitStack) -> None:
    post = Post()
    post.refused = {"rum"}
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "rum", "milk")
    with pytest.raises(ReactionFailed):
        app.react()

    (failed,) = app.retry_parked("mail", "1")
    post.refused = {"milk"}
    (half,) = app.retry_parked("mail")
    post.refused.clear()
    (whole,) = app.retry_parked("mail", "1")
    order(app, "order-1", "water")
    app.react()

    assert (failed.folded, failed.left) == (0, 2)
    assert (half.folded, half.left, half.error) == (1, 1, "ConnectionError: no such address: milk")
    assert (whole.folded, whole.left) == (1, 0)
    assert post.sent == [("order-1", 1), ("order-1", 2), ("order-1", 3)]
    assert app.parked() == []
    with pytest.raises(NotFound, match="no event of key '1' is parked"):
        app.retry_parked("mail", "1")


def test_parked_events_that_are_discarded_are_never_carried_out_and_later_ones_are(
    local_url: str, stack: ExitStack
) -> None:
    post = Post()
    post.refused = {"rum"}
    app = stack.enter_context(open_shop(local_url, mail(post)))
    order(app, "order-1", "rum", "milk")
    with pytest.raises(ReactionFailed):
        app.react()

    assert app.discard_parked("mail", "1") == 2
    order(app, "order-1", "water")
    app.react()

    assert post.sent == [("order-1", 3)]
    assert standing(app).discarded == 2


def test_while_it_is_paused_nobody_carries_it_out(any_url: str, stack: ExitStack) -> None:
    post = Post()
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "tea")

    app.pause("mail")
    paused = app.react(), standing(app).state
    app.resume("mail")
    app.react()

    assert paused == (0, "paused")
    assert post.sent == [("order-1", 1)]


def test_events_wait_for_each_other_by_key_and_those_without_one_are_not_wanted(
    local_url: str, stack: ExitStack
) -> None:
    post = Post()
    post.refused = {"red rum"}

    def colour(recorded: Recorded[Any]) -> str | None:
        first: str = recorded.event.text.split()[0]
        return None if first == "no" else first

    app = stack.enter_context(open_shop(local_url, mail(post, key=colour)))
    order(app, "order-1", "red rum", "green tea", "no tea")
    order(app, "order-2", "red tea", "green milk")

    with pytest.raises(ReactionFailed):
        app.react()

    assert post.sent == [("order-1", 2), ("order-2", 2)]
    assert [(each.key, each.events) for each in app.parked()] == [("red", 2)]


def test_an_event_whose_key_cannot_be_told_is_parked_alone_and_can_be_retried(local_url: str, stack: ExitStack) -> None:
    post, broken = Post(), [True]

    def fragile(recorded: Recorded[Any]) -> str:
        if recorded.event.text == "rum" and broken:
            raise KeyError("rum")
        return recorded.stream_id

    app = stack.enter_context(open_shop(local_url, mail(post, key=fragile, partitions=2)))
    order(app, "order-1", "rum", "tea")
    with pytest.raises(ReactionFailed, match="has parked the event at position 1: key= raised KeyError"):
        app.react()
    broken.clear()
    app.retry_parked("mail")

    assert post.sent == [("order-1", 2), ("order-1", 1)]
    assert app.parked() == []


def test_a_key_that_names_several_is_refused(sqlite_url: str, stack: ExitStack) -> None:
    app = stack.enter_context(open_shop(sqlite_url, mail(Post(), key=by_tag("course"))))
    app.store.append("order-1", [Ordered("a")])
    app.react()

    chosen = stack.enter_context(closing(open_shop(f"{sqlite_url}2", mail(Post(), key=lambda _: ["a", "b"]))))
    order(chosen, "order-1", "tea")
    with pytest.raises(ReactionFailed, match=r"key=: expected one key, .* got \['a', 'b'\]"):
        chosen.react()


def test_an_event_that_cannot_be_read_holds_it_up_and_is_not_parked(url: str, stack: ExitStack) -> None:
    class Other(Event, event_type="Ordered"):
        number: int

    post = Post()
    app = stack.enter_context(open_shop(url, mail(post)))
    order(app, "order-1", "tea")
    with open_store(url, events=Other) as other:
        other.append("order-2", [Other(1)])
    order(app, "order-3", "tea")

    for _ in range(5):
        with pytest.raises(UnreadableEvent):
            app.react()

    assert post.sent == [("order-1", 1)]
    assert (standing(app).state, standing(app).position, standing(app).parked) == ("failed", 1, 0)


def test_given_a_worker_held_up_past_its_lease_then_another_carries_on_and_the_late_checkpoint_is_refused(
    url: str, stack: ExitStack
) -> None:
    posts = {"a": Post(), "b": Post()}
    apps = {name: stack.enter_context(open_shop(url, mail(post))) for name, post in posts.items()}
    order(apps["a"], "order-1", "tea", "milk", "rum")

    def held_up(declared: Any, recorded: Recorded[Any]) -> None:
        declared(recorded)
        if recorded.version == 2:  # the lease has ended meanwhile, and b goes further
            assert reactor(apps["b"], "b").step() == 2

    late = reactor(apps["a"], "a", ENDED, held_up)
    moved = [late.step(), late.step()]

    assert moved == [1, 0]
    assert posts["a"].sent == [("order-1", 1), ("order-1", 2)]
    assert posts["b"].sent == [("order-1", 2), ("order-1", 3)]
    assert standing(apps["a"]).position == 3


def test_given_parked_events_mended_while_an_event_is_in_hand_then_that_is_not_carried_out_again(
    any_url: str, stack: ExitStack
) -> None:
    post = Post()
    post.refused = {"rum"}
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "rum")
    with pytest.raises(ReactionFailed):
        app.react()
    order(app, "order-2", "tea")

    def meanwhile(declared: Any, recorded: Recorded[Any]) -> None:
        declared(recorded)
        app.discard_parked("mail", "1")

    at_work = reactor(app, "a", call=meanwhile)
    assert [at_work.step(), at_work.step()] == [1, 0]
    assert post.sent == [("order-2", 1)]
    assert standing(app).position == 2


def test_a_follower_is_not_parked_by_a_worker_that_has_not_heard_that_its_key_was_mended(
    any_url: str, stack: ExitStack
) -> None:
    post = Post()
    post.refused = {"rum"}
    app = stack.enter_context(open_shop(any_url, mail(post)))
    order(app, "order-1", "rum")
    with pytest.raises(ReactionFailed):
        app.react()
    order(app, "order-2", "tea")
    order(app, "order-1", "milk")
    post.refused.clear()

    def meanwhile(declared: Any, recorded: Recorded[Any]) -> None:
        declared(recorded)
        if recorded.stream == "order-2":
            app.retry_parked("mail")

    at_work = reactor(app, "a", call=meanwhile)
    while at_work.step():
        pass

    assert post.sent == [("order-2", 1), ("order-1", 1), ("order-1", 2)]
    assert app.parked() == []


def test_when_the_database_is_away_after_an_effect_then_this_process_does_not_repeat_it(
    local_url: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post()
    app = stack.enter_context(open_shop(local_url, mail(post)))
    order(app, "order-1", "tea", "milk")
    at_work = reactor(app, "a")

    def away(_self: ReactionGeneration, _change: Change) -> bool:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(ReactionGeneration, "apply", away)
        with pytest.raises(StoreUnavailable):
            at_work.step()
    at_work.step()

    assert post.sent == [("order-1", 1), ("order-1", 2)]


def test_what_a_worker_has_in_hand_is_left_to_it(local_url: str, stack: ExitStack) -> None:
    post = Post()
    app = stack.enter_context(open_shop(local_url, mail(post)))
    order(app, "order-1", "tea")
    worker = reactor(app, "a")

    assert app.react() == 0
    assert worker.step() == 1
    assert post.sent == [("order-1", 1)]


def wait_for(app: Application, name: str, position: int) -> None:
    """Waits for a worker, and carries out nothing."""
    news = threading.Event()
    for _ in range(int(PATIENCE_SECONDS * 100)):
        if standing(app, name).position >= position:
            return
        news.wait(0.01)
    raise AssertionError(f"reaction {name} stands at {standing(app, name).position}")


def test_a_slow_reaction_holds_up_neither_another_one_nor_a_projection(any_url: str, stack: ExitStack) -> None:
    post, begun, go_on = Post(), threading.Event(), threading.Event()

    @reaction("slow", start="beginning")
    def slow(recorded: Recorded[Ordered]) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        post.sent.append((f"slow {recorded.stream}", recorded.version))

    app = stack.enter_context(open_shop(any_url, slow, mail(post)))
    with app.worker():
        order(app, "order-1", "tea")
        assert begun.wait(PATIENCE_SECONDS)
        order(app, "order-1", "milk")
        wait_for(app, "mail", 2)
        row = app.query(Order).get("1", after=token_of(2))
        sent = list(post.sent)
        go_on.set()
        wait_for(app, "slow", 2)

    assert row == Order("1", 2)
    assert sent == [("order-1", 1), ("order-1", 2)]
    assert post.sent[2:] == [("slow order-1", 1), ("slow order-1", 2)]


def test_partitions_are_carried_out_side_by_side_and_each_key_in_order(any_url: str, stack: ExitStack) -> None:
    together = threading.Barrier(3)
    sent: list[tuple[str, int]] = []

    @reaction("mail", start="beginning", partitions=3)
    def send(recorded: Recorded[Ordered]) -> None:
        if recorded.version == 1:
            together.wait(PATIENCE_SECONDS)
        sent.append((recorded.stream, recorded.version))

    app = stack.enter_context(open_shop(any_url, send))
    ids = {share_of(each, 3): each for each in map(str, range(9))}
    streams = sorted(f"order-{each}" for each in ids.values())
    assert len(streams) == 3
    with app.worker():
        for stream in streams:
            order(app, stream, "tea", "milk")
        wait_for(app, "mail", 6)

    assert sorted(sent) == [(stream, version) for stream in streams for version in (1, 2)]
    assert all(sent.index((stream, 1)) < sent.index((stream, 2)) for stream in streams)


class Shipped(Event):
    pass


class Shipment(Aggregate[Shipped]):
    shipped: bool = False

    def evolve(self, event: Shipped) -> "Shipment":
        del event
        return Shipment(shipped=True)


class Ship(Command):
    shipment_id: str


@handles
def ship(shipment: Shipment, command: Ship) -> list[Shipped]:
    del command
    return [] if shipment.shipped else [Shipped()]


@reaction("ship", start="beginning")
def ship_when_ordered(recorded: Recorded[Ordered], app: Application) -> None:
    app.dispatch(Ship(recorded.stream_id), causation_id=recorded.event_id)


@reaction("ship", start="beginning")
async def ship_awaiting(recorded: Recorded[Ordered], app: AsyncApplication) -> None:
    await app.dispatch(Ship(recorded.stream_id), causation_id=recorded.event_id)


def test_it_may_dispatch_commands_which_are_caused_by_the_event(local_url: str, stack: ExitStack) -> None:
    app = stack.enter_context(Application(local_url, handlers=[ship], reactions=[ship_when_ordered], migrate=True))
    order(app, "order-1", "tea")
    (ordered,) = app.store.read_log()

    app.react()

    assert app.load(Shipment, "1").shipped
    assert [each.recorded.type for each in app.effects(ordered.event_id)] == ["Ordered", "Shipped"]


@pytest.mark.parametrize("declared", [ship_when_ordered, ship_awaiting])
def test_the_same_holds_for_the_application_for_asyncio(sqlite_url: str, declared: Any) -> None:
    async def shipments() -> list[str]:
        async with AsyncApplication(sqlite_url, handlers=[ship], reactions=[declared]) as app:
            await app.store.append("order-1", [Ordered("tea")])
            await app.react()
            assert (await app.load(Shipment, "1")).shipped
            async with app.worker(), app.subscribe(types=[Shipped]) as shipped:
                await app.store.append("order-2", [Ordered("tea")])
                return [(await anext(aiter(shipped))).stream for _ in range(2)]

    assert asyncio.run(shipments()) == ["shipment-1", "shipment-2"]


def test_a_definition_that_is_not_acceptable_says_why() -> None:
    def nothing() -> None: ...
    def bare(recorded) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 - what is refused
    def three(recorded: Recorded[Ordered], app: Any, more: Any) -> None: ...
    def plain(recorded: Ordered) -> None: ...

    for function, text in [
        (nothing, "expected one positional parameter"),
        (bare, "parameter recorded: expected `Recorded"),
        (three, "expected one positional parameter"),
        (plain, "got Ordered; or say events="),
    ]:
        with pytest.raises(DefinitionError, match=text):
            reaction("mail")(function)
    for options, text in [
        ({"start": "later"}, 'start: expected "now", "beginning" or a position'),
        ({"start": -1}, "start: expected"),
        ({"start": True}, "start: expected"),
        ({"partitions": 0}, "partitions: expected an integer"),
        ({"poison": 3}, "poison: expected a Poison"),
    ]:
        with pytest.raises(DefinitionError, match=text):
            reaction("mail", **options)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(DefinitionError, match="expected a name"):
        reaction("Mail!")
    assert reaction("mail", events=[Ordered, Paid])(bare).events == (Ordered, Paid)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="another reaction or projection is called 'orders'"):
        open_shop("memory://", mail(Post(), "orders"))
    with pytest.raises(DefinitionError, match="another reaction or projection is called 'mail'"):
        open_shop("memory://", mail(Post()), mail(Post()))
    with pytest.raises(DefinitionError, match="expected functions under @reaction"):
        Application("memory://", reactions=[print])  # type: ignore[list-item]  # what is refused
