"""The envelope of a recorded event: what it keeps as stored, and what it makes of it when asked."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from eventstore import Recorded
from eventstore.recorded import to_datetime, to_microseconds


def recorded(**beside: object) -> Recorded[str]:
    return Recorded("it", 7, "account-a-1", 3, 1_000_000, "It", 1, "id", **beside)  # type: ignore[arg-type]  # the fields of a test


def test_what_was_not_given_is_empty() -> None:
    plain = recorded()

    assert plain.occurred_at == plain.recorded_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (plain.metadata, plain.tags) == ({}, ())


def test_what_was_given_is_decoded() -> None:
    full = recorded(occurred_us=-1, metadata_json='{"a":[1]}', tags_json='["x:1","y"]')

    assert full.occurred_at == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert (full.metadata, full.tags) == ({"a": [1]}, ("x:1", "y"))


def test_the_streams_name_is_taken_apart_at_the_first_dash() -> None:
    assert (recorded().category, recorded().stream_id) == ("account", "a-1")


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_an_instant_survives_as_microseconds_exactly(instant: datetime) -> None:
    assert to_datetime(to_microseconds(instant)) == instant


def test_an_instant_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a datetime with a time zone, got 2024-01-01T00:00:00"):
        to_microseconds(datetime(2024, 1, 1))  # noqa: DTZ001 - that is the point
