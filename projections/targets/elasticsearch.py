"""Rows in an Elasticsearch index: to be searched as text, beside the comparisons that every target has."""

from collections.abc import Mapping
from typing import Any, Literal

from eventstore import DefinitionError
from projections.model import Model
from projections.targets.elasticsearch_generations import BoundElasticsearchIndex
from projections.targets.elasticsearch_mapping import Override, index_fields
from projections.targets.elasticsearch_server import ElasticsearchServer
from projections.targets.register import register_of

LOCAL = "http://127.0.0.1:9200"
TIMEOUT_SECONDS = 10.0
MAX_NAME_LENGTH = 100


class ElasticsearchIndex:
    """Keeps a projection's rows in Elasticsearch, exactly once in effect. Where they stand is kept beside the log.

    Needs the extra `elasticsearch`: the official client, whose major version must be the server's, 9 or 8.

    Args:
        name: what other programs call it: an alias of the live generation's index.
        url: of the server, `http://host:9200`, with user and password where it asks for them.
        fields: by field, what the mapping says of it in place of what the model's type gives: "text", "keyword", any mapping such
            as `{"type": "text", "analyzer": "english"}`, or one without a type, which only adjusts how the field's text is
            searched, such as `{"analyzer": "english"}`.
        settings: of each index, such as `{"number_of_shards": 3, "analysis": {...}}`.
        refresh: when queries see what is written. By default when the server shows it by itself, after about a second, and at
            once for a query with `after=`. A number of seconds in place of that one; or "wait_for": then the projection itself
            waits after each batch.
        timeout: seconds that one call of the server may take.
        options: as for `elasticsearch.Elasticsearch`: `api_key`, `ca_certs`, ...

    Raises:
        DefinitionError: the name, or the policy, is not acceptable.
    """

    needs_sql = False
    divisible = True

    def __init__(
        self,
        name: str,
        *,
        url: str = LOCAL,
        fields: Mapping[str, Override] | None = None,
        settings: Mapping[str, Any] | None = None,
        refresh: float | Literal["wait_for"] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        **options: Any,
    ) -> None:
        self.name = _check_name(name)
        self._url, self._timeout, self._options = url, timeout, options
        self._fields, self._settings = dict(fields or {}), dict(settings or {})
        self._wait = refresh == "wait_for"
        self._interval = None if refresh is None or refresh == "wait_for" else _interval(name, refresh)

    def bind(self, backend: Any, projection: str, model: Model) -> BoundElasticsearchIndex:
        """The index over one log.

        Raises:
            DefinitionError: `fields` names a field that the model lacks, or does not fit it.
        """
        where = f"ElasticsearchIndex({self.name!r})"
        return BoundElasticsearchIndex(
            self.name,
            ElasticsearchServer(self._url, self._timeout, self._options),
            register_of(backend, projection, self.name),
            projection,
            model,
            index_fields(where, model, self._fields),
            settings=self._settings,
            refresh_interval=self._interval,
            wait=self._wait,
        )


def _check_name(name: str) -> str:
    plain = name.isascii() and name.replace("-", "_").isidentifier() and name == name.lower()
    if not plain or name.startswith(("_", "-")) or len(name) > MAX_NAME_LENGTH:
        raise DefinitionError(
            f"ElasticsearchIndex: expected a name of at most {MAX_NAME_LENGTH} characters of a-z, 0-9, _ and -, beginning with a "
            f"letter, got {name!r}"
        )
    return name


def _interval(name: str, seconds: object) -> str:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise DefinitionError(
            f'ElasticsearchIndex({name!r}): refresh: expected seconds > 0, "wait_for" or None, got {seconds!r}'
        )
    return f"{max(1, round(seconds * 1000))}ms"
