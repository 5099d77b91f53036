"""Stream names: how they are put together and taken apart."""

import pytest

from eventstore import InvalidStreamName, stream_name
from eventstore.stream import category_of, check_stream_name, id_of


@pytest.mark.parametrize("stream_id", ["1", "a-1", "-", "$x", "ü 🌍"])
def test_category_and_id_come_back_out_of_the_name(stream_id: str) -> None:
    name = stream_name("account", stream_id)

    assert name == f"account-{stream_id}"
    assert (category_of(name), id_of(name)) == ("account", stream_id)


def test_a_name_without_a_dash_is_both() -> None:
    assert (category_of("log"), id_of("log")) == ("log", "log")


@pytest.mark.parametrize(
    ("category", "stream_id", "reason"),
    [
        ("", "1", "category: expected printable text"),
        ("a-b", "1", "category: expected printable text without a dash, which ends it, got 'a-b'"),
        ("a", "", "stream of 'a': id: expected a text of at least one character, got ''"),
        ("a", 1, "stream of 'a': id: expected a text of at least one character, got 1"),
        ("a", "x" * 254, "at most 255 characters, got 256"),
        ("$a", "1", "reserved for the system"),
    ],
)
def test_parts_that_make_no_name_are_refused(category: str, stream_id: str, reason: str) -> None:
    with pytest.raises(InvalidStreamName, match=reason):
        stream_name(category, stream_id)


def test_a_system_stream_is_a_name_only_for_who_says_so() -> None:
    assert check_stream_name("$dead-letters", system=True) == "$dead-letters"
    with pytest.raises(InvalidStreamName, match="reserved"):
        check_stream_name("$dead-letters")
