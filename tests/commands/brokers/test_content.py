"""CloudEvents on the wire: what we write others read, and what others write we read; what is none says why."""

import json

import pytest
from cloudevents.core.bindings import amqp, http, kafka
from cloudevents.core.v1.event import CloudEvent as OtherEvent
from msgspec.structs import replace

from commands.brokers.content import CONTENT_TYPE, deliver, write
from commands.brokers.nats_content import delivery_of, headers_and_body
from commands.cloud_event import CloudEvent
from commands.errors import MessageRefused

EVENT = CloudEvent(
    id="m-1",
    source="/bank",
    type="Deposited",
    data='{"amount":5,"note":"größer"}'.encode(),
    channel="bank",
    key="a-1",
    time_us=1_700_000_000_123_456,
    subject="a-1",
    schema="Deposited/2",
    headers={"correlationid": "c-1", "note": "größer als 100 %"},
)


def as_others_see_it(event: OtherEvent) -> tuple[object, ...]:
    found = event.get_attributes()
    names = ("id", "source", "type", "subject", "dataschema", "partitionkey", "correlationid", "note")
    return (*(found[name] for name in names), found["time"].isoformat(), event.get_data())


EXPECTED = (
    *("m-1", "/bank", "Deposited", "a-1", "Deposited/2", "a-1", "c-1", "größer als 100 %"),
    "2023-11-14T22:13:20.123456+00:00",
    {"amount": 5, "note": "größer"},
)


@pytest.mark.parametrize("structured", [False, True])
def test_what_we_write_to_kafka_another_library_reads(structured: bool) -> None:
    headers, body = write(EVENT, structured=structured)

    found = kafka.from_kafka_event(kafka.KafkaMessage({k: v.encode() for k, v in headers.items()}, b"a-1", body))

    assert as_others_see_it(found) == EXPECTED


@pytest.mark.parametrize("structured", [False, True])
def test_what_we_write_to_rabbitmq_another_library_reads(structured: bool) -> None:
    headers, body = write(EVENT, structured=structured, prefix="cloudEvents:")
    content_type = headers.pop(CONTENT_TYPE)

    found = amqp.from_amqp_event(amqp.AMQPMessage({"content-type": content_type}, {**headers}, body))

    assert as_others_see_it(found) == EXPECTED


def test_what_we_write_to_nats_another_library_reads_as_over_http_whose_rules_it_follows() -> None:
    headers, body = headers_and_body(EVENT, structured=False)

    found = http.from_http_event(http.HTTPMessage(headers, body))

    assert as_others_see_it(found) == EXPECTED


def other_event() -> OtherEvent:
    return OtherEvent(
        {"id": "m-2", "source": "/shop", "type": "Sold", "subject": "größer", "datacontenttype": "application/json"},
        {"pieces": 3},
    )


@pytest.mark.parametrize("binding", [kafka.to_binary_event, kafka.to_structured_event])
def test_what_another_library_writes_to_kafka_we_read(binding: object) -> None:
    assert callable(binding)
    written = binding(other_event())

    headers = {name: value.decode() for name, value in written.headers.items()}
    found = deliver("1", headers, written.value, channel="shop", key="the broker's")

    assert found.error == ""
    assert found.event is not None
    assert (found.event.id, found.event.source, found.event.type, found.event.subject) == (
        "m-2",
        "/shop",
        "Sold",
        "größer",
    )
    assert json.loads(found.event.data) == {"pieces": 3}
    assert (found.event.key, found.event.channel) == ("the broker's", "shop")


def test_what_another_library_writes_over_http_we_read_from_nats() -> None:
    written = http.to_binary_event(other_event())

    found = delivery_of("1", written.headers, bytes(written.body), "shop", 0)

    assert found.event is not None
    assert (found.event.subject, json.loads(found.event.data)) == ("größer", {"pieces": 3})


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("time_us", [0, 1, -1, 253_402_300_799_999_999])
def test_a_message_is_read_as_it_was_written(structured: bool, time_us: int) -> None:
    event = replace(
        EVENT, time_us=time_us, subject=None, schema=None, headers={"x-Tenant": "t-1", "traceparent": "00-a-b-01"}
    )

    headers, body = write(event, structured=structured)

    assert deliver("7", headers, body, channel="bank").event == event


def structured(**changes: object) -> bytes:
    plain = {"specversion": "1.0", "id": "m", "source": "/s", "type": "T", "data": {"n": 1}}
    return json.dumps({name: value for name, value in {**plain, **changes}.items() if value is not None}).encode()


def read(body: bytes, content_type: str = "application/cloudevents+json; charset=UTF-8") -> CloudEvent | str:
    found = deliver("1", {"Content-Type": content_type}, body, channel="c", arrived_us=5)
    return found.event or found.error


def test_the_least_that_a_cloud_event_must_say_is_enough() -> None:
    found = read(structured())

    assert found == CloudEvent("m", "/s", "T", b'{"n": 1}', "c", key="m", time_us=5)


def test_other_kinds_of_values_become_texts() -> None:
    found = read(structured(count=3, urgent=True, data=None, data_base64="eyJuIjoyfQ=="))

    assert isinstance(found, CloudEvent)
    assert (found.headers, found.data) == ({"count": "3", "urgent": "true"}, b'{"n":2}')


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "no CloudEvent"),
        (b"[]", "no CloudEvent"),
        (b"\xff", "no CloudEvent"),
        (structured(specversion="0.3"), "specversion: expected 1.0, got 0.3"),
        (structured(id=None), "id, source and type, got none for id"),
        (structured(source="", type=None), "got none for source, type"),
        (structured(time="yesterday"), "time: expected one as RFC 3339 writes it, got 'yesterday'"),
        (structured(time="2026-01-01T00:00:00"), "time: expected an offset from UTC"),
        (structured(tags=["a"]), "tags: expected a text, a whole number or a truth value"),
        (structured(datacontenttype="text/plain"), "datacontenttype: expected JSON, got text/plain"),
        (structured(data=None, data_base64="?"), "no CloudEvent"),
    ],
)
def test_what_is_no_cloud_event_says_why(body: bytes, why: str) -> None:
    found = read(body)

    assert isinstance(found, str)
    assert why in found


def test_what_is_nested_without_an_end_is_no_cloud_event() -> None:
    assert "recursion" in str(read(b'{"id":' * 100_000))


def test_several_at_once_are_not_read() -> None:
    found = read(b"[]", "application/cloudevents-batch+json")

    assert isinstance(found, str)
    assert "expected the content type application/cloudevents+json" in found


def test_a_header_with_the_name_of_an_attribute_is_refused() -> None:
    with pytest.raises(MessageRefused, match="message m-1: headers: id, time cannot be set there"):
        write(replace(EVENT, headers={"time": "now", "id": "x"}), structured=False)


def test_a_header_whose_name_nats_does_not_take_is_refused() -> None:
    with pytest.raises(MessageRefused, match="NATS has no such name: a b"):
        headers_and_body(replace(EVENT, headers={"a b": "x"}), structured=False)
