"""A library for the tests of search: books with titles and notes."""

from collections.abc import Mapping
from typing import Any

from eventfold import Application, ElasticsearchIndex, Event, MemoryTable, Recorded, Struct, projection, replace


class Shelved(Event, event_type="library-shelved"):
    title: str
    author: str = ""
    year: int = 2000


class Noted(Event, event_type="library-noted"):
    note: str


class Lost(Event, event_type="library-lost"):
    pass


class Book(Struct, frozen=True):
    isbn: str
    title: str
    author: str = ""
    year: int = 2000
    notes: str | None = None


@projection("books")
def books(row: Book | None, recorded: Recorded[Shelved | Noted | Lost]) -> Book | None:
    match recorded.event:
        case Shelved(title, author, year):
            return Book(recorded.stream_id, title, author, year)
        case Noted(note):
            return replace(row, notes=note) if row is not None else None
        case Lost():
            return None


SHELF = {
    "1": Shelved("The sea, the sea", "Iris Murdoch", 1978),
    "2": Shelved("The old man and the sea", "Ernest Hemingway", 1952),
    "3": Shelved("Moby-Dick", "Herman Melville", 1851),
    "4": Shelved("Twenty thousand leagues under the seas", "Jules Verne", 1870),
}


def open_library(url: str, name: str, **options: Any) -> Application:
    """A library in memory with two targets, of which the second one is searched."""
    targets = [MemoryTable(), ElasticsearchIndex(name, url=url, **options)]
    return Application("memory://", projections=[books.into(*targets)])


def shelve(app: Application, shelf: Mapping[str, Event] = SHELF) -> str:
    """Fills the library, and returns the token to ask with."""
    from eventstore.token import token_of

    for isbn, event in shelf.items():
        app.store.append(f"book-{isbn}", [event])
    app.catch_up()
    return token_of(app.store.head())
