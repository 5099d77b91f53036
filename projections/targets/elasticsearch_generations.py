"""The generations of a read model in Elasticsearch.

Every generation has an index of its own; an alias, `customers`, shows the live one to other programs. Where each stands is
kept beside the log.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from projections.errors import GenerationDropped
from projections.model import Model
from projections.target import Generation, GenerationInfo
from projections.targets.elasticsearch_alias import LiveAlias, own_name
from projections.targets.elasticsearch_bulk import IndexMissing
from projections.targets.elasticsearch_document import Documents
from projections.targets.elasticsearch_mapping import IndexField, mapping_of
from projections.targets.elasticsearch_reader import ElasticsearchReader
from projections.targets.elasticsearch_rows import ElasticsearchRows
from projections.targets.elasticsearch_seen import SeenGeneration
from projections.targets.elasticsearch_server import ElasticsearchServer
from projections.targets.register import Register
from projections.targets.rows_apart import GenerationApart, lost

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


class BoundElasticsearchIndex:
    """The indices of one projection, one for each generation, and the alias over them.

    Args:
        name: of the alias.
        server: where they are.
        register: of the generations, beside the log.
        projection: the projection's name.
        model: of the rows.
        fields: how its fields are kept.
        settings: of each index.
        refresh_interval: how often the server shows what is written, as it says it itself; None for its own default.
        wait: whether writes wait until queries see them.
    """

    remote = True

    def __init__(
        self,
        name: str,
        server: ElasticsearchServer,
        register: Register,
        projection: str,
        model: Model,
        fields: list[IndexField],
        *,
        settings: Mapping[str, Any],
        refresh_interval: str | None,
        wait: bool,
    ) -> None:
        self.index = name
        self.fields = {field.name: field for field in fields}
        self._server, self._register = server, register
        self._projection, self._model = projection, model
        self._documents = Documents(model, fields)
        self._mapping = mapping_of(fields, {"eventfold": {"projection": projection, "model": model.cls.__qualname__}})
        self._settings, self._refresh_interval, self._wait = settings, refresh_interval, wait
        self._alias = LiveAlias(server, name, register)
        self._opened: dict[int, GenerationApart] = {}
        self._configured = 0
        self._seen = SeenGeneration(self._rows, waits=wait)

    @property
    def client(self) -> "Elasticsearch":
        """The official client."""
        return self._server.client

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._register.all()

    def generation(self, number: int) -> GenerationApart:
        """The generation of this number, made once, so that its index is looked up once."""
        found = self._opened.get(number)
        if found is None:
            found = self._opened[number] = GenerationApart(self._register, number, self._open)
        return found

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1) -> GenerationApart:
        """A new generation. Its index is made when it is first used, so that a server which is away keeps nobody waiting."""
        number = self._register.create(fingerprint, live=live, partitions=partitions)
        return self.generation(number)

    def swap(self, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """Makes a generation the live one: first in the register, which our queries ask, and then for the alias."""
        info = self._register.one(generation.number)
        if info.made_us != self._configured:  # once: it takes so long that the live rows are further on by then
            try:
                self._open(info).configure({"index.refresh_interval": self._refresh_interval})
            except IndexMissing as error:
                raise GenerationDropped(self._projection, self.index, info.number) from error
            self._configured = info.made_us
        if not self._register.swap(info.number, partitions=partitions, behind=behind):
            return False
        self._alias.follow()
        return True

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        return self._register.reopen(number)

    def drop(self, number: int) -> None:
        """Removes a generation that is not live, with its index."""
        info = next((each for each in self._register.all() if each.number == number), None)
        if info is not None and self._register.retire(number):
            self._alias.follow()
            self._rows(info).delete()
            self._register.remove(number)

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows until further notice, or lets them again."""
        self._register.pause(paused=paused)

    @contextmanager
    def reading(self) -> Iterator[ElasticsearchReader]:
        """A reader of the live rows."""
        yield ElasticsearchReader(self._register, self._rows, self._seen, key=self._model.key.name)

    @contextmanager
    def reading_on(self) -> Iterator[ElasticsearchReader]:
        """The same for whoever has read before: it raises `RowsSwapped` where he might see older rows than then."""
        yield ElasticsearchReader(self._register, self._rows, self._seen, key=self._model.key.name, reads_on=True)

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        info = self._register.one(number)
        rows = self._open(info)
        try:
            yield rows.all()
        except IndexMissing as error:
            raise lost(info) from error

    def _open(self, info: GenerationInfo) -> ElasticsearchRows:
        """The index of a generation. It is made where nothing was written yet; and if it is the live one, the alias shows it."""
        rows = self._rows(info)
        if info.furthest == 0:
            interval = self._refresh_interval if info.state == "live" else "-1"
            rows.create(self._mapping, {**self._settings, "index.refresh_interval": interval})
        if info.state == "live":
            self._alias.follow()
        return rows

    def _rows(self, info: GenerationInfo) -> ElasticsearchRows:
        alias = own_name(self.index, info.number, info.made_us)
        key = self._model.key.name
        wait = self._wait and info.state == "live"  # before that the index is shown to nobody, and never refreshed
        return ElasticsearchRows(self._server, alias, self.index, self._documents, key=key, wait=wait)
