"""An Elasticsearch for the demo: the one that is named, or one of the demo's own, which ends with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console

START, NONE = "start", "none"
"""In place of a URL: start one, and fetch it first if it must be; or do without."""


class SearchServer(NamedTuple):
    """Where the customers can be searched.

    Attributes:
        url: of the server; None where there is none.
        said: what it is.
        stays: whether it is there after the demo, too.
    """

    url: str | None
    said: str
    stays: bool = False


WITHOUT = SearchServer(
    None,
    "without Elasticsearch, so customers are not searched: set ELASTICSEARCH_URL, or fetch one (1 GB, once) and start it by "
    "`make demo ELASTICSEARCH=start`",
)


@contextmanager
def search_server(console: Console, wanted: str | None) -> Iterator[SearchServer]:
    """A server while the block runs.

    Args:
        console: where to say that it takes a moment.
        wanted: a URL, "start" or "none"; None starts one if it was fetched before, by the tests or an earlier demo.

    Raises:
        ElasticsearchUnavailableError: it cannot be started; of `tests.services.elasticsearch`.
    """
    if wanted == NONE or (wanted is None and not _is_fetched()):
        yield WITHOUT
    elif wanted not in {None, START}:
        yield SearchServer(wanted, f"with Elasticsearch at {wanted}", stays=True)
    else:
        from tests.services.elasticsearch import ElasticsearchServer

        server = ElasticsearchServer()
        try:
            with console.status("start Elasticsearch" if _is_fetched() else "fetch Elasticsearch, 1 GB, and start it"):
                server.start()
            yield SearchServer(server.url, f"with an Elasticsearch {server.version} that was started for this demo")
        finally:
            server.close()


def _is_fetched() -> bool:
    from tests.services.elasticsearch import release_of_the_client
    from tests.services.java import find_java
    from tests.services.maven import cache_folder, is_complete

    release = release_of_the_client()
    has_java = find_java(release.least_java, release.most_java) is not None
    return has_java and is_complete(cache_folder() / f"elasticsearch-{release.version}")
