"""The form in which messages travel: CloudEvents 1.0 (https://github.com/cloudevents/spec)."""

from collections.abc import Mapping

import msgspec

SPEC_VERSION = "1.0"
JSON = "application/json"


class CloudEvent(msgspec.Struct, frozen=True, gc=False):  # of texts: no cycle to look for
    """A message on its way, in one process or between two.

    Attributes:
        id: with `source`, told apart from every other message.
        source: the service that says it, a URI reference such as `/bank`.
        type: the stable name of its message class.
        data: its payload, as JSON text.
        channel: where it goes or comes from: a topic, a stream or an exchange of the broker. Not an attribute on the wire.
        key: messages of one key keep their order; `partitionkey` on the wire.
        time_us: when what it says happened, microseconds since 1970 UTC.
        subject: what it is about.
        schema: name and version of its message class, such as `OrderPlaced/2`; `dataschema` on the wire.
        headers: every other attribute, such as `correlationid`, `causationid` and `traceparent`: a text each.
    """

    id: str
    source: str
    type: str
    data: bytes
    channel: str
    key: str
    time_us: int
    subject: str | None = None
    schema: str | None = None
    headers: Mapping[str, str] = {}
