"""The demo begins from an empty log, and removes nothing but what an earlier demo made."""

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.schema import DropSchema

from eventfold import Application
from examples.cdnow.app import DEFAULT_DATABASE, INDEX, SCHEMA, cdnow


class NotEmptyError(Exception):
    """The database that was named holds events already."""


class SearchAwayError(Exception):
    """The Elasticsearch that was named does not answer."""


def open_empty(database: str, search: str | None = None) -> tuple[Application, str]:
    """The application over an empty log, and a sentence that says how it came to be empty.

    `cdnow.db` in the working directory, on PostgreSQL the schema `eventfold_cdnow`, and in Elasticsearch the indices of
    `eventfold-cdnow-customers` are the demo's own: they are removed and made anew. Any other file is left alone.

    Args:
        database: its URL.
        search: that of an Elasticsearch, if there is one.

    Raises:
        NotEmptyError: it is a file of the caller's that holds events.
        SearchAwayError: the Elasticsearch does not answer.
    """
    if search is not None:
        _remove_indices(search)
    removed = database == DEFAULT_DATABASE and _remove_file(Path(make_url(database).database or ""))
    app = cdnow(database, search)
    try:
        if not app.store.head():
            return app, "made anew, in place of an earlier demo's" if removed else "new"
        _remove_schema(app)
    except BaseException:
        app.close()
        raise
    app.close()
    return cdnow(database, search), f"schema {SCHEMA} made anew, in place of an earlier demo's"


def _remove_schema(app: Application) -> None:
    backend = app.store.backend
    if backend.sql is None or backend.sql.dialect != "postgresql":
        raise NotEmptyError(
            f"{backend.description} holds {app.store.head():,} events already, and the demo begins from an empty log. "
            "Delete the file, or name one that does not exist: --database sqlite:///another.db"
        )
    with backend.sql.transaction() as connection:
        connection.execute(DropSchema(SCHEMA, cascade=True))


def _remove_file(path: Path) -> bool:
    found = path.exists()
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
    return found


def _remove_indices(url: str) -> None:
    from elasticsearch import ApiError, Elasticsearch, TransportError

    try:
        with Elasticsearch(url, request_timeout=10, max_retries=0) as client:
            for index in client.indices.get(index=f"{INDEX}__g*", expand_wildcards="all"):
                client.indices.delete(index=index)
    except (ApiError, TransportError, ValueError) as error:
        raise SearchAwayError(f"Elasticsearch at {url} does not answer as it should: {error}") from error
