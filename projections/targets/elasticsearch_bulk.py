"""Writes documents in bulk, each with the position as its external version, and tells apart what goes wrong.

A document whose stored version is the same or newer is left as it is: a repeated or late batch changes nothing. A document that
does not fit the mapping is named. What was turned away because the server is busy is sent again.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from projections.targets.elasticsearch_server import Busy, ElasticsearchServer
from projections.targets.rows_apart import RowsMissing

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

CHUNK_DOCUMENTS = 500
CHUNK_BYTES = 8 << 20
SENDERS = 4

_BUSY = {429, 502, 503, 504}
_encode = msgspec.json.Encoder().encode


class IndexMissing(RowsMissing):
    """There is no index of that name."""


class Document(NamedTuple):
    """What is written under an id."""

    id: str
    body: bytes


class Bulk:
    """Writes into one index.

    Args:
        server: where it is.
        alias: of the index. Writes name it by an alias, because the server would make an index that is not there.
        wait: whether a write waits until queries see it.
    """

    def __init__(self, server: ElasticsearchServer, alias: str, *, wait: bool) -> None:
        self._server = server
        self._alias = alias
        self._options: dict[str, Any] = {"require_alias": True, "refresh": "wait_for" if wait else False}

    def write(self, documents: Sequence[Document], version: int, *, again: bool = False) -> dict[str, str]:
        """Stores documents, unless they are there in this or a newer version; `again` also where they are there in this one.

        Returns:
            The reasons why documents were refused, by their ids.

        Raises:
            IndexMissing: there is no such index.
            TargetUnavailable: the server is away or has too much to do.
        """
        chunks = list(_chunks(documents))
        if len(chunks) <= 1:
            return self._send(chunks[0], version, again=again) if chunks else {}
        with ThreadPoolExecutor(min(SENDERS, len(chunks)), "eventfold-bulk") as senders:
            refused: dict[str, str] = {}
            for each in senders.map(lambda chunk: self._send(chunk, version, again=again), chunks):
                refused.update(each)
            return refused

    def _send(self, chunk: Sequence[Document], version: int, *, again: bool) -> dict[str, str]:
        refused: dict[str, str] = {}
        left: Sequence[Document] = chunk

        def call(client: "Elasticsearch") -> None:
            nonlocal left
            lines: Any = _lines(left, version, again=again)  # the client sends bytes as they are
            answer = client.bulk(
                index=self._alias,
                operations=lines,
                filter_path="errors,items.*.status,items.*.error",
                **self._options,
            )
            left, why = _turned_away(left, answer, refused) if answer["errors"] else ((), "")
            if left:
                raise Busy(why)

        self._server.ask(call)
        return refused


def _lines(chunk: Sequence[Document], version: int, *, again: bool) -> list[bytes]:
    tail = b',"version":%d,"version_type":"%s"}}' % (version, b"external_gte" if again else b"external")
    return [line for each in chunk for line in (b'{"index":{"_id":' + _encode(each.id) + tail, each.body)]


def _turned_away(chunk: Sequence[Document], answer: Any, refused: dict[str, str]) -> tuple[Sequence[Document], str]:
    """What is to be sent again, and why; what was refused is noted.

    Raises:
        IndexMissing: there is no such index.
    """
    left: list[Document] = []
    why = ""
    for document, item in zip(chunk, answer["items"], strict=True):
        status, error = item["index"]["status"], item["index"].get("error")
        if error is None or status == 409:  # noqa: PLR2004 - it is there in this or a newer version
            continue
        if status == 404:  # noqa: PLR2004 - the index, since documents are made
            raise IndexMissing(error["reason"])
        if status in _BUSY:
            left.append(document)
            why = error["reason"]
        else:
            refused[document.id] = _reason(error)
    return left, why


def _reason(error: dict[str, Any]) -> str:
    """The whole chain of reasons: the last one says most."""
    caused = error.get("caused_by")
    return f"{error['reason']}: {_reason(caused)}" if caused else str(error["reason"])


def _chunks(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    begin = size = 0
    for i, each in enumerate(documents):
        if i > begin and (i - begin >= CHUNK_DOCUMENTS or size + len(each.body) > CHUNK_BYTES):
            yield documents[begin:i]
            begin, size = i, 0
        size += len(each.body)
    if begin < len(documents):
        yield documents[begin:]
