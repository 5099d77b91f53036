"""What goes into the log comes out equal."""

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from eventstore.new_event import NewEvent
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import (
    Address,
    Card,
    Colour,
    Deposited,
    Everything,
    Renamed,
    Team,
    Transfer,
)

INDIA = timezone(timedelta(hours=5, minutes=30))

EVERYTHING = Everything(
    text="Grüße, 世界 🌍 \"quoted\" \\back\\ 'single' \t %s ? $1 :name {curly}",
    whole=-(2**63),
    real=0.1 + 0.2,
    flag=True,
    nothing=None,
    raw=bytes(range(256)),
    money=Decimal("12345678901234567890.123456789"),
    moment=datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
    day=date(1969, 12, 31),
    lasting=timedelta(days=-3, microseconds=1),
    unique=UUID(int=1),
    colour=Colour.BLUE,
    address=Address("Main street", 5),
    payment=Transfer("DE00"),
    pair=(1, "one"),
    many=(Address("a"), Address("b", 2)),
    words=frozenset({"x", "y", "z"}),
    counts={"b": 2, "a": 1, "": 0},
    by_number={2: "two", -1: "minus one"},
    anything={"nested": [1, 2.5, None, {"deep": [[[]]]}]},
    maybe="there",
)


class RoundTrips(StoreCases):
    """Events, and everything that travels beside them."""

    def test_fields_of_every_kind_come_back_equal(self, store: EventStore) -> None:
        store.append("everything-1", [EVERYTHING])

        (found,) = store.read_stream("everything-1")
        assert found.event == EVERYTHING
        for name in EVERYTHING.__struct_fields__:
            assert type(getattr(found.event, name)) is type(getattr(EVERYTHING, name)), name

    @pytest.mark.parametrize(
        "changed",
        [
            {"whole": 2**63 - 1},
            {"whole": 2**64 - 1},
            {"real": -0.0},
            {"real": 1e308},
            {"real": 5e-324},
            {"payment": Card("1234")},
            {"maybe": None},
            {"text": ""},
            {"text": "\u2028\x7f\uffff\U0010ffff"},
            {"text": "\\u0000"},
            {"anything": "\\u0000\\ud800"},
            {"anything": None},
            {"raw": b""},
            {"moment": datetime(2024, 1, 1, tzinfo=INDIA)},
            {"moment": datetime(2024, 1, 1)},  # noqa: DTZ001 - a field may hold what it likes
            {"words": frozenset()},
            {"money": Decimal("0E-10")},
        ],
        ids=str,
    )
    def test_unusual_values_come_back_equal(self, store: EventStore, changed: dict[str, Any]) -> None:
        event = Everything(**{**{name: getattr(EVERYTHING, name) for name in EVERYTHING.__struct_fields__}, **changed})

        store.append("everything-1", [event])

        (found,) = store.read_stream("everything-1")
        assert found.event == event
        assert repr({name: getattr(found.event, name) for name in changed}) == repr(changed)

    def test_random_text_comes_back_equal(self, store: EventStore) -> None:
        draw = random.Random(7)  # noqa: S311 - a case must repeat
        planes = [(0x1, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
        texts = ["".join(chr(draw.randint(*draw.choice(planes))) for _ in range(40)) for _ in range(50)]

        store.append("account-1", [Renamed(text) for text in texts])

        assert [each.event.name for each in store.read_stream("account-1")] == texts

    def test_a_stored_name_and_schema_version_come_back(self, store: EventStore) -> None:
        store.append("account-1", [Renamed("ada"), Deposited(1)])

        found = list(store.read_stream("account-1"))
        assert [(each.type, each.schema) for each in found] == [("account-renamed", 2), ("Deposited", 1)]

    def test_everything_beside_the_event_comes_back(self, store: EventStore) -> None:
        metadata = {"user": "ada", "nested": {"list": [1, 2.5, None, True, "ü"]}, "": ""}
        new = NewEvent(
            Deposited(1),
            occurred_at=datetime(2020, 5, 17, 12, 30, 0, 123456, tzinfo=INDIA),
            tags=["b", "a"],
            metadata=metadata,
            correlation_id="conversation 1",
            causation_id="Ursache-ü",
        )

        store.append("account-1", [new])

        (found,) = store.read_log()
        assert found.metadata == metadata
        assert found.tags == ("b", "a")
        assert (found.correlation_id, found.causation_id) == ("conversation 1", "Ursache-ü")
        assert found.occurred_at == datetime(2020, 5, 17, 7, 0, 0, 123456, tzinfo=UTC)
        assert found.occurred_at.tzinfo is UTC
        assert (found.stream, found.category, found.stream_id) == ("account-1", "account", "1")

    def test_an_event_without_anything_beside_it_has_nothing(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1), NewEvent(Deposited(2))])

        for found in store.read_log():
            assert found.metadata == {}
            assert found.tags == ()
            assert found.correlation_id is found.causation_id is None
            assert found.occurred_at == found.recorded_at

    @pytest.mark.parametrize(
        "instant",
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
        ids=str,
    )
    def test_the_instant_of_occurrence_comes_back_to_the_microsecond(
        self, store: EventStore, instant: datetime
    ) -> None:
        store.append("account-1", [NewEvent(Deposited(1), occurred_at=instant)])

        (found,) = store.read_log()
        assert found.occurred_at == instant

    def test_tags_of_fields_come_first_and_each_tag_once(self, store: EventStore) -> None:
        store.append("team-1", [NewEvent(Team(("s-2", "s-1", "s-2"), "s-1"), tags=["extra", "member:s-1"])])

        (found,) = store.read_log()
        assert found.tags == ("member:s-2", "member:s-1", "lead:s-1", "extra")

    def test_a_tag_field_that_is_none_or_empty_gives_no_tag(self, store: EventStore) -> None:
        store.append("team-1", [Team(())])

        (found,) = store.read_log()
        assert found.tags == ()

    @pytest.mark.parametrize(
        "name", ["a", "-", "-1", "account", "a-b-c", "Größe-ß", "世界-🌍", 'it\'s "x"-%_\\', "a b-c d"]
    )
    def test_unusual_stream_names_come_back(self, store: EventStore, name: str) -> None:
        store.append(name, [Deposited(1)])
        store.append(name, [Deposited(2)], expected=1)

        assert [each.stream for each in store.read_stream(name)] == [name, name]
        assert [each.stream for each in store.read_log(stream=name)] == [name, name]
        assert [each.stream for each in store.streams()] == [name]
