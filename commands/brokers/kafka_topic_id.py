"""Asks Kafka for the id of a topic: one that is deleted and made anew has the same name, and another id.

The client library does not ask yet, so its own words for the protocol say here what a newer request looks like.
"""

import uuid
from io import BytesIO
from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

NO_ID = uuid.UUID(int=0)
_METADATA, _WITH_IDS = 3, 10  # the second is the first version of the request that tells ids: since Kafka 2.8


async def topic_id(client: Any, topic: str) -> str:
    """The id of a topic.

    Args:
        client: of the library, connected.
        topic: its name.

    Raises:
        KafkaError: there is none of that name, or no answer.
    """
    answer: Any = await client.send(client.get_random_node(), _AskForTopic(topic))
    ((code, _, found, *_),) = answer.topics
    if code:
        raise for_code(code)(f"topic {topic}")
    return str(found)


class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]  # types of the library are not known
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")
_NUMBERS = CompactArray(Int32)


class _Topics(Response):  # type: ignore[misc]  # types of the library are not known
    API_KEY, API_VERSION = _METADATA, _WITH_IDS
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), _TAGS)),
        ("cluster_id", _NAME),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _NAME),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _NUMBERS),
                        ("isr", _NUMBERS),
                        ("offline_replicas", _NUMBERS),
                        _TAGS,
                    ),
                ),
                ("operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_operations", Int32),
        _TAGS,
    )


class _TopicsRequest(RequestStruct):  # type: ignore[misc]  # types of the library are not known
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION = _METADATA, _WITH_IDS
    RESPONSE_TYPE = _Topics
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _NAME), _TAGS)),
        ("make_topics", Boolean),
        ("tell_cluster_operations", Boolean),
        ("tell_operations", Boolean),
        _TAGS,
    )


class _AskForTopic(Request[_TopicsRequest]):  # type: ignore[misc]  # types of the library are not known
    API_KEY = _METADATA

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_TopicsRequest]) -> _TopicsRequest:
        return request_struct_class([(NO_ID, self._topic, {})], False, False, False, {})  # noqa: FBT003 - as the protocol has it
