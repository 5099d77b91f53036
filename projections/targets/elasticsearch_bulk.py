"""Writes documents in bulk, each with the position as its external version, and tells apart what goes wrong.

A document whose stored version is the same or newer is left as it is: a repeated or late batch changes nothing. A document that
does not fit the mapping is named. What was turned away because the server is busy is sent again.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from projections.errors import TargetUnavailable
from projections.targets.elasticsearch_server import Busy, ElasticsearchServer
from projections.targets.rows_apart import RowsMissing

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

CHUNK_DOCUMENTS = 500
CHUNK_BYTES = 8 << 20
SENDERS = 4

TOO_LARGE, TOO_MANY = 413, 429
_BUSY = {TOO_MANY, 502, 503, 504}
_BLOCKED = "cluster_block_exception"
"""Nobody may write to the index for now, whatever the document: by its operator's wish, or for lack of room on the disk."""
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
        self._at_once = CHUNK_DOCUMENTS
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
            part, rest = left[: self._at_once], left[self._at_once :]
            busy, why = self._send_part(client, part, version, refused, again=again)
            left = [*busy, *rest]
            if busy:
                raise Busy(why)

        while before := len(left):
            try:
                self._server.ask(call)
            except TargetUnavailable:
                if len(left) == before:  # a server that takes a little now and then is waited for
                    raise
        return refused

    def _send_part(
        self,
        client: "Elasticsearch",
        part: Sequence[Document],
        version: int,
        refused: dict[str, str],
        *,
        again: bool,
    ) -> tuple[Sequence[Document], str]:
        """Sends documents at once. Where they are too many for the server, fewer are sent from now on."""
        from elasticsearch import ApiError

        lines: Any = _lines(part, version, again=again)  # the client sends bytes as they are
        try:
            answer = client.bulk(
                index=self._alias, operations=lines, filter_path="errors,items.*.status,items.*.error", **self._options
            )
        except ApiError as error:
            if error.status_code == TOO_LARGE and len(part) == 1:
                refused[part[0].id] = str(error)
                return (), ""
            if error.status_code in {TOO_LARGE, TOO_MANY}:
                self._at_once = max(1, len(part) // 2)
                return part, str(error)
            raise
        self._at_once = min(CHUNK_DOCUMENTS, self._at_once + self._at_once // 8 + 1)
        return _turned_away(part, answer, refused) if answer["errors"] else ((), "")


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
        if status in _BUSY or error["type"] == _BLOCKED:
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
