"""What is told to others is stored with what it tells of, or not at all."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from commands import CloudEvent
from commands.testing import given
from eventfold import (
    Application,
    AsyncApplication,
    DefinitionError,
    DuplicateMessage,
    InvalidInput,
    InvalidMessage,
    Message,
    NewEvent,
    NewMessage,
    NotFound,
    Outbox,
    PublishFailed,
    Recorded,
    StreamAppend,
    Unsupported,
    WrongExpectedVersion,
)
from tests.commands.outbox.shop import (
    HANDLERS,
    PUBLISH,
    Cancelled,
    Numbered,
    Ordered,
    OrderPlaced,
    Place,
    Remind,
    Reminder,
    order_placed,
    place,
    remind,
)


class Homeless(Message):
    n: int


class Texts(Message, channel="texts"):
    text: str


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with Application(url, handlers=HANDLERS, publish=PUBLISH, name="shop", migrate=True) as opened:
        yield opened


def told(app: Application | Outbox) -> list[CloudEvent]:
    outbox = app.outbox if isinstance(app, Application) else app
    return [each.event for each in outbox.messages(limit=None)]


# -- events that are published -----------------------------------------------------------------------------------------


def test_an_event_that_is_published_is_told_with_what_is_known_of_it(app: Application) -> None:
    receipt = app.dispatch(Place("o-1", 30), correlation_id="talk", metadata={"traceparent": "00-a-b-01"})

    [event] = told(app)
    [stored] = app.store.read_log()
    assert (event.id, event.source, event.type, event.schema) == (
        stored.event_id,
        "/shop",
        "OrderPlaced",
        "OrderPlaced/2",
    )
    assert (event.channel, event.key, event.subject) == ("orders", "o-1", "o-1")
    assert event.headers == {"correlationid": "talk", "causationid": stored.event_id, "traceparent": "00-a-b-01"}
    assert msgspec.json.decode(event.data, type=OrderPlaced) == OrderPlaced("o-1", 30, receipt.version)


def test_whoever_looks_at_the_outbox_first_changes_nothing(app: Application) -> None:
    assert told(app) == []
    app.dispatch(Place("o-1", 30))

    assert len(told(app)) == 1


def test_a_map_may_tell_nothing_or_several_things_whose_ids_are_always_the_same(url: str) -> None:
    def twice(recorded: Recorded[Ordered]) -> list[OrderPlaced]:
        return [OrderPlaced("a", 1), OrderPlaced("b", 2)]

    event_id = str(uuid.uuid4())
    ids = []
    for publish in (twice, twice, lambda _: None):
        with Application(url, publish={Ordered: publish}, migrate=True, prefix=f"p{len(ids)}_") as app:
            app.store.append("order-1", [NewEvent(Ordered(1), event_id=event_id), Cancelled()])
            ids.append([each.id for each in told(app)])

    assert ids[0] == ids[1]
    assert ids[0][0] == event_id != ids[0][1]
    assert ids[2] == []


def test_every_way_of_appending_tells_of_it(app: Application) -> None:
    store = app.store
    store.append("order-1", [Ordered(1), Ordered(2)])
    store.append_all([StreamAppend("order-2", [Ordered(3)]), StreamAppend("order-1", [Ordered(4)], 2)])
    asyncio.run(store.append_async("order-3", [Ordered(5)]))
    app.dispatch_many([Place(f"m-{n}", 6) for n in range(20)])
    with app.unit_of_work() as work:
        work.dispatch(Place("u-1", 7))
        work.append("order-u-2", [Ordered(8)])

    said = [msgspec.json.decode(each.data, type=OrderPlaced) for each in told(app)]
    log = {(each.stream_id, each.version): each.event.total for each in store.read_log()}
    assert {(each.order_id, each.version): each.total for each in said} == log
    assert sorted(log.values()) == [1, 2, 3, 4, 5, *[6] * 20, 7, 8]


def test_what_is_refused_or_repeated_is_not_told(app: Application) -> None:
    event_id = str(uuid.uuid4())
    for _ in range(2):
        app.store.append("order-1", [NewEvent(Ordered(1), event_id=event_id)])
    with pytest.raises(WrongExpectedVersion):
        app.store.append("order-1", [Ordered(2)], expected=7)

    assert [each.id for each in told(app)] == [event_id]


def test_a_map_that_fails_refuses_the_append_and_nobody_elses(app: Application) -> None:
    with pytest.raises(
        PublishFailed, match=r"order_placed failed on the event Ordered for stream 'order-bad'.*0 or more"
    ):
        app.dispatch(Place("bad", -1))
    done = app.dispatch_many([Place("good", 1), Place("bad", -1), Place("better", 2)])

    assert [type(each.error) for each in done] == [type(None), PublishFailed, type(None)]
    assert sorted(each.event.total for each in app.store.read_log()) == [1, 2]
    assert len(told(app)) == 2


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (7, "expected messages"),
        (Homeless(1), "channel"),
        (Texts("\0"), "text: .*NUL"),
        ([OrderPlaced("a", 1), 7], "got 7"),
    ],
)
def test_a_map_that_returns_what_cannot_be_sent_refuses_the_append(url: str, returned: Any, reason: str) -> None:
    with Application(url, publish={Ordered: lambda _: returned}, migrate=True) as app:
        with pytest.raises(PublishFailed, match=reason):
            app.store.append("order-1", [Ordered(1)])
        assert not list(app.store.read_log())
        assert not told(app)


@pytest.mark.parametrize("returned", [Texts("\0"), Texts("x" * (1 << 20))])
def test_that_nothing_was_stored_is_said_once(returned: Any) -> None:
    with Application("memory://", publish={Ordered: lambda _: returned}) as app:
        with pytest.raises(PublishFailed) as refused:
            app.store.append("order-1", [Ordered(1)])
        with pytest.raises(InvalidMessage) as unfit:
            app.outbox.send(returned)

    assert str(refused.value).count("nothing was stored") == 1
    assert refused.value.reason == str(unfit.value)


def test_what_a_map_raises_is_told_as_it_is() -> None:
    def ask(_: Any) -> Any:
        raise ValueError("the tariff was refused; nothing was stored there")

    with Application("memory://", publish={Ordered: ask}) as app, pytest.raises(PublishFailed) as refused:
        app.store.append("order-1", [Ordered(1)])

    assert refused.value.reason == "ValueError: the tariff was refused; nothing was stored there"


def test_appending_in_ones_own_transaction_tells_of_it_with_the_commit(sql_url: str) -> None:
    with Application(sql_url, publish=PUBLISH, migrate=True) as app:
        engine = app.store.backend.engine
        assert engine is not None
        for committed in (False, True):
            with engine.connect() as connection, connection.begin() as transaction:
                app.store.append("order-1", [Ordered(1)], connection=connection)
                if not committed:
                    transaction.rollback()

        assert len(told(app)) == 1


@pytest.mark.parametrize(
    ("publish", "problem"),
    [
        ([order_placed], "expected a dict"),
        ({OrderPlaced: order_placed}, "expected event classes"),
        ({Ordered: 7}, "expected a function"),
        ({Ordered: OrderPlaced}, "expected a function"),
        ({Ordered: lambda: None}, "one argument"),
        ({Ordered: divmod}, "one argument"),
        ({Ordered: (lambda: (yield))}, "plain function"),
    ],
)
def test_maps_that_cannot_work_are_refused_where_they_are_declared(publish: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=f"publish: .*{problem}"):
        Application("memory://", publish=publish)


# -- messages of a decision --------------------------------------------------------------------------------------------


def test_messages_beside_events_are_told_with_them(app: Application) -> None:
    receipt = app.dispatch(Place("o-1", 2_000), correlation_id="talk")

    assert receipt.events == (Ordered(2_000),)
    [reminder] = app.outbox.messages(channel="letters")
    assert (reminder.event.key, reminder.event.headers["correlationid"]) == ("o-1", "talk")


def test_a_decision_of_messages_alone_tells_them_once_under_its_key(app: Application) -> None:
    for _ in range(2):
        receipt = app.dispatch(Remind("o-1"), idempotency_key="k")

    assert (receipt.version, receipt.events) == (0, ())
    assert [(each.key, each.subject) for each in told(app)] == [("o-1", "o-1"), ("post", "second")]


def test_messages_of_a_unit_of_work_are_told_with_all_of_it_or_not_at_all(app: Application) -> None:
    with app.unit_of_work() as work:
        work.dispatch(Remind("o-1"))
        work.dispatch(Place("o-2", 5))
    with app.unit_of_work() as work:
        work.dispatch(Remind("o-3"))
    with pytest.raises(PublishFailed), app.unit_of_work() as work:
        _ = work.dispatch(Remind("o-4")), work.dispatch(Place("o-4", -1))

    assert [each.key for each in told(app)] == ["o-2", "o-1", "post", "o-3", "post"]


def test_the_async_application_tells_the_same(url: str) -> None:
    async def work() -> list[str]:
        async with AsyncApplication(url, handlers=HANDLERS, publish=PUBLISH, migrate=True) as app:
            await app.dispatch(Place("o-1", 2_000))
            await app.dispatch(Remind("o-2"))
            async with app.unit_of_work() as work:
                await work.dispatch(Remind("o-3"))
            [sent] = await app.outbox.send(Numbered(1))
            assert (await app.outbox.message(sent)).event.type == "Numbered"
            assert (await app.outbox.status()).pending == 7
            return [each.event.key for each in await app.outbox.messages(channel="letters")]

    assert asyncio.run(work()) == ["o-1", "o-2", "post", "o-3", "post"]


def test_a_test_of_a_decision_expects_its_messages_too() -> None:
    reminders = Reminder("o-1"), NewMessage(Reminder("o-1"), key="post", subject="second")

    given().when(place, Place("o-1", 2_000)).then(Ordered(2_000), Reminder("o-1"))
    given().when(remind, Remind("o-1")).then(*reminders)
    with pytest.raises(AssertionError, match="expected nothing"):
        given().when(remind, Remind("o-1")).then_nothing()


# -- without events ----------------------------------------------------------------------------------------------------


def test_an_outbox_beside_plain_rows_makes_no_log_and_follows_their_transaction(sql_url: str) -> None:
    engine = create_engine(sql_url.replace("postgresql:", "postgresql+psycopg:"))
    with Outbox(sql_url, source="/plain", migrate=True) as outbox:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE things (id INTEGER)"))
            connection.execute(text("INSERT INTO things VALUES (1)"))
            outbox.add(connection, Numbered(1))
        with Session(engine) as session:
            session.execute(text("INSERT INTO things VALUES (2)"))
            outbox.add(session, Numbered(2))
            session.rollback()
        with Session(engine) as session, session.begin():
            outbox.add(session, Numbered(3))

        assert [msgspec.json.decode(each.data) for each in told(outbox)] == [{"n": 1}, {"n": 3}]
        assert [each.key == each.id for each in told(outbox)] == [True, True]
        with engine.connect() as connection:
            tables = connection.dialect.get_table_names(connection)
    engine.dispose()
    assert "eventfold_events" not in tables
    assert "eventfold_outbox" in tables


def test_everything_that_travels_beside_a_message_is_kept(url: str) -> None:
    message_id, at = str(uuid.uuid4()), datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with Outbox(url, source="/s", migrate=True) as outbox:
        new = NewMessage(Numbered(1), "k", "c.h", message_id, "about", at, {"tenant": "a b"}, "corr", "cause")
        assert outbox.send(new) == (message_id,)

        assert told(outbox) == [
            CloudEvent(
                message_id,
                "/s",
                "Numbered",
                b'{"n":1}',
                "c.h",
                "k",
                1577934245678901,
                "about",
                "Numbered/1",
                {"tenant": "a b", "correlationid": "corr", "causationid": "cause"},
            )
        ]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (Ordered(1), r"expected a Message, got Ordered: declare it as `class Ordered\(Message\)`"),
        ({"a": 1}, r"expected a Message, got dict: pass an instance of a class that you declare"),
        ([Numbered(1)], "expected a Message, got list: pass several messages as arguments of their own"),
        (Homeless(1), "Homeless: channel: expected to be told"),
        (Numbered("one"), "Numbered: n: .*got 'one'"),
        (Texts("x" * 1_000_000), "Texts: expected at most 1,000,000 bytes as JSON, got 1,000,011"),
        (Texts("\ud800"), "Texts: text: .*lone surrogates"),
        (NewMessage(Numbered(1), channel="a b"), "Numbered: channel: .*'a b'"),
        (NewMessage(Numbered(1), key=""), "Numbered: key: expected 1 to 255"),
        (NewMessage(Numbered(1), subject="\n"), "Numbered: subject:"),
        (NewMessage(Numbered(1), message_id="seven"), "Numbered: message_id: expected a UUID, got 'seven'"),
        (NewMessage(Numbered(1), occurred_at=datetime(2020, 1, 1)), "Numbered: occurred_at: "),  # noqa: DTZ001 - refused
        (NewMessage(Numbered(1), headers={"Tenant": "a"}), "Numbered: headers: expected names .*'Tenant'"),
        (NewMessage(Numbered(1), headers={"source": "a"}), "Numbered: headers: expected names .*'source'"),
        (NewMessage(Numbered(1), headers={"tenant": 7}), "Numbered: headers: tenant: "),
        (NewMessage(Numbered(1), headers=[1]), "Numbered: headers: expected a dict"),
        (NewMessage(Numbered(1), correlation_id="\0"), "Numbered: correlation_id:"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_field_and_nothing_is_stored(message: Any, problem: str) -> None:
    with Outbox("memory://") as outbox:
        with pytest.raises(InvalidMessage, match=problem):
            outbox.send(Numbered(0), message)
        assert not told(outbox)


def test_an_id_that_is_taken_is_refused(url: str) -> None:
    with Outbox(url, migrate=True) as outbox:
        [message_id] = outbox.send(Numbered(1))
        with pytest.raises(DuplicateMessage, match=message_id):
            outbox.send(Numbered(2), NewMessage(Numbered(3), message_id=message_id))

        assert len(told(outbox)) == 1


def test_of_several_of_which_one_is_taken_none_is_added_though_the_caller_goes_on(sql_url: str) -> None:
    with Outbox(sql_url, migrate=True) as outbox:
        [message_id] = outbox.send(Numbered(1))
        engine = outbox.store.backend.engine
        assert engine is not None
        with engine.begin() as connection:
            with pytest.raises(DuplicateMessage):
                outbox.add(connection, Numbered(2), NewMessage(Numbered(3), message_id=message_id))
            outbox.add(connection, Numbered(4), Numbered(5))

        assert len(told(outbox)) == 3


def test_wrong_questions_are_refused() -> None:
    with Outbox("memory://") as outbox:
        with pytest.raises(InvalidInput, match="state: expected one of pending, waiting, parked, sent, got 'lost'"):
            outbox.messages(state="lost")
        with pytest.raises(NotFound, match="eventfold outbox list"):
            outbox.message(str(uuid.uuid4()))
        with pytest.raises(InvalidInput, match="UUID"):
            outbox.message("seven")
        [message_id] = outbox.send(Numbered(1))
        with pytest.raises(InvalidInput, match="expected a parked one, got one that is pending"):
            outbox.discard(message_id)
        with pytest.raises(InvalidInput, match="source"):
            Outbox("memory://", source="a b")
        with pytest.raises(Unsupported, match="no transaction"), create_engine("sqlite://").connect() as connection:
            outbox.add(connection, Reminder("x"))


def test_a_transaction_in_another_database_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    with Outbox(sqlite_url) as outbox, Outbox(f"sqlite:///{tmp_path}/other.db") as other:
        with engine.begin() as connection, pytest.raises(InvalidInput, match=r"got one to sqlite:///.*other\.db"):
            outbox.add(connection, Numbered(1))
        assert (outbox.messages(), other.messages()) == ([], [])
    engine.dispose()
