"""Reading what is stored: events of today, of newer code, and of no code here."""

import pytest

from eventstore import Event, NewerEventSchema, UnknownEvent, UnknownEventType, UnreadableEvent
from eventstore.backend import Row, label_of
from eventstore.codec import Codec


class Opened(Event, version=2):
    owner: str
    cents: int = 0


def row(payload: str, name: str = "Opened", schema: int = 2) -> Row:
    return (7, "account-1", 3, 0, name, schema, "id", None, None, None, None, None, payload)


def test_a_field_that_the_class_does_not_know_is_passed_over() -> None:
    (found,) = Codec(Opened).decode([row('{"owner":"ada","colour":"red"}')])

    assert found.event == Opened("ada")


def test_a_field_that_is_missing_is_named_with_the_event_at_fault() -> None:
    codec = Codec(Opened)
    good, bad = row('{"owner":"ada"}'), row('{"cents":5}')

    for read in (codec.decode, codec.decode_events):
        with pytest.raises(
            UnreadableEvent, match=r"'Opened' schema 2 at position 7 \(stream 'account-1' version 3\).*owner"
        ):
            read([good, bad])


def test_a_type_that_is_not_declared_is_unknown_or_refused_where_every_event_is_needed() -> None:
    closed = row('{"why":"moved"}', "Closed", 1)

    assert Codec(Opened).decode([closed])[0].event == UnknownEvent("Closed", 1, {"why": "moved"})
    with pytest.raises(UnknownEventType, match=r"'Closed', which this reader does not declare \(it declares Opened\)"):
        Codec(Opened, strict=True).decode([closed])


@pytest.mark.parametrize("strict", [True, False])
def test_an_event_of_newer_code_is_refused_by_every_reader_that_declares_it(strict: bool) -> None:
    with pytest.raises(NewerEventSchema, match="has schema 3, and this code declares schema 2; deploy"):
        Codec(Opened, strict=strict).decode([row('{"owner":"ada"}', schema=3)])


def test_payloads_are_decoded_together_or_need_a_closer_look() -> None:
    codec = Codec(Opened)
    good = (label_of("Opened", 2), '{"owner":"ada"}')

    assert codec.decode_payloads([good, good]) == [Opened("ada"), Opened("ada")]
    for bad in [(label_of("Opened", 3), "{}"), (label_of("Closed", 1), "{}"), (label_of("Opened", 2), "{}")]:
        assert codec.decode_payloads([good, bad]) is None
