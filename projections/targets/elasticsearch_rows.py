"""The rows of one generation: an index, and how its documents are written and read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from eventstore import DefinitionError
from projections.errors import RowsRefused
from projections.search import Hit, Text
from projections.selection import Order, Selection
from projections.target import Fetched
from projections.targets.elasticsearch_bulk import Bulk, Document, IndexMissing
from projections.targets.elasticsearch_document import TOMBSTONE, Documents, id_of
from projections.targets.elasticsearch_mapping import DELETED
from projections.targets.elasticsearch_search import hits_of, search_body, search_query
from projections.targets.elasticsearch_select import after_of, query_of, sort_of
from projections.targets.elasticsearch_server import ElasticsearchServer

KEYS_AT_ONCE = 2_000
PAGE = 5_000
"""How many rows are read at once where all are wanted; the server gives at most 10,000."""

KEPT = "5m"
"""How long the server keeps a moment for the next page."""


class ElasticsearchRows:
    """One index. It is named by an alias of its own, since the server would make an index that a late write names.

    Args:
        server: where it is.
        alias: its own name.
        target: the target's name, for errors.
        documents: from rows to documents.
        wait: whether writes wait until queries see them.
    """

    def __init__(
        self, server: ElasticsearchServer, alias: str, target: str, documents: Documents, *, key: str, wait: bool
    ) -> None:
        self.alias = alias
        self.index = f"{alias}-rows"
        self._server = server
        self._target = target
        self._documents = documents
        self._order = (Order(key),)
        self._bulk = Bulk(server, alias, wait=wait)

    # -- the index -------------------------------------------------------------------------------------------------

    def create(self, mapping: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Makes the index, if it is not there.

        Raises:
            DefinitionError: the server refuses the mapping or the settings.
        """
        from elasticsearch import ApiError

        try:
            self._ask(
                lambda client: client.indices.create(
                    index=self.index,
                    mappings=dict(mapping),
                    settings=dict(settings),
                    aliases={self.alias: {}},
                    wait_for_active_shards="1",
                )
            )
        except ApiError as error:
            if error.error != "resource_already_exists_exception":
                raise DefinitionError(
                    f"ElasticsearchIndex({self._target!r}): the server refuses to make the index: {error}"
                ) from error

    def exists(self) -> bool:
        """Whether the index is there."""
        return bool(self._ask(lambda client: client.indices.exists(index=self.index)))

    def delete(self) -> None:
        """Removes the index, if it is there."""
        self._ask(lambda client: client.indices.delete(index=self.index, ignore_unavailable=True))

    def refresh(self) -> None:
        """Lets queries see everything that is written.

        Raises:
            IndexMissing: there is no such index.
        """
        self._ask(lambda client: client.indices.refresh(index=self.index))

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Changes settings of the index."""
        self._ask(lambda client: client.indices.put_settings(index=self.index, settings=dict(settings)))

    # -- writing and reading by key --------------------------------------------------------------------------------

    def write(self, rows: Mapping[Any, Any], position: int, *, again: bool = False) -> None:
        """Stores rows as they are at a position, unless they are there as they are at this or a later one.

        With `again`, one that is there as it is at this position is replaced.

        Raises:
            RowsRefused: rows do not fit the index; the others are written.
            IndexMissing: there is no such index.
            TargetUnavailable: the server is away; some rows may be written.
        """
        documents: list[Document] = []
        refused: dict[Any, str] = {}
        for key, row in rows.items():
            try:
                body = TOMBSTONE if row is None else self._documents.encode(row)
            except (ValueError, TypeError) as error:
                refused[key] = str(error)
            else:
                documents.append(Document(id_of(key), body))
        if reasons := self._bulk.write(documents, position, again=again):
            keys = {id_of(key): key for key in rows}
            refused.update((keys[id_], reason) for id_, reason in reasons.items())
        if refused:
            raise RowsRefused(self._target, refused)

    def fetch(self, keys: Sequence[Any]) -> Fetched:
        """The rows under these keys, and up to where each contains everything, deleted ones too. Sees every write at once.

        Raises:
            IndexMissing: there is no such index.
        """
        rows: dict[Any, Any] = {}
        ahead: dict[Any, int] = {}
        for i in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[i : i + KEYS_AT_ONCE]
            ids = [id_of(key) for key in part]
            answer = self._ask(lambda client, ids=ids: client.mget(index=self.alias, ids=ids))
            for key, found in zip(part, answer["docs"], strict=True):
                if "error" in found:
                    raise IndexMissing(found["error"]["reason"])
                if found["found"]:
                    ahead[key] = found["_version"]
                    if DELETED not in found["_source"]:
                        rows[key] = self._documents.decode(found["_source"])
        return Fetched(rows, ahead)

    # -- queries ---------------------------------------------------------------------------------------------------

    def select(self, selection: Selection) -> list[Any]:
        """The rows that a query wants, as queries see them."""
        if selection.limit == 0:
            return []
        if not selection.order:
            selection = replace(selection, order=self._order)
        if selection.limit is not None and selection.limit <= PAGE:
            return self._decoded(self._hits(selection, selection.limit))
        return list(self._pages(selection))

    def count(self, selection: Selection) -> int:
        """How many rows match."""
        query = query_of(self._documents, selection)
        return int(self._ask(lambda client: client.count(index=self.alias, query=query))["count"])

    def all(self) -> Iterator[Any]:
        """Every row by its key."""
        self.refresh()
        return self._pages(Selection(order=self._order))

    def find(self, selection: Selection, text: Text) -> list[Hit[Any]]:
        """The rows that match and in which a text is found, the best first."""
        body = search_body(self._documents, selection, text, self._order[0].field)
        return hits_of(self._documents, self._search(body))

    def count_found(self, selection: Selection, text: Text) -> int:
        """How many they are."""
        query = search_query(self._documents, selection, text)
        return int(self._ask(lambda client: client.count(index=self.alias, query=query))["count"])

    def _search(self, body: Mapping[str, Any]) -> Any:
        where = {} if "pit" in body else {"index": self.alias}
        return self._ask(lambda client: client.search(**where, **body))

    def _hits(self, selection: Selection, size: int, **options: Any) -> list[Any]:
        query = query_of(self._documents, selection)
        if selection.after is not None:
            query["bool"]["filter"].append(after_of(self._documents, selection))
        body: dict[str, Any] = {
            "query": query,
            "sort": sort_of(self._documents, selection.order),
            "size": size,
            "track_total_hits": False,
            **options,
        }
        found: list[Any] = self._search(body)["hits"]["hits"]
        return found

    def _pages(self, selection: Selection) -> Iterator[Any]:
        """All rows as they are at one moment, page by page."""
        left = selection.limit
        pit = self._ask(lambda client: client.open_point_in_time(index=self.alias, keep_alive=KEPT))["id"]
        options: dict[str, Any] = {"pit": {"id": pit, "keep_alive": KEPT}}
        try:
            while left is None or left > 0:
                size = PAGE if left is None else min(PAGE, left)
                hits = self._hits(selection, size, **options)
                yield from self._decoded(hits)
                if len(hits) < size:
                    return
                left = None if left is None else left - size
                options["search_after"] = hits[-1]["sort"]
        finally:
            self._ask(lambda client: client.close_point_in_time(id=pit))

    def _decoded(self, hits: list[Any]) -> list[Any]:
        decode = self._documents.decode
        return [decode(hit["_source"]) for hit in hits]

    def _ask(self, call: Any) -> Any:
        from elasticsearch import NotFoundError

        try:
            return self._server.ask(call)
        except NotFoundError as error:
            raise IndexMissing(str(error)) from error
