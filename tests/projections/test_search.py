"""Full-text search: hits in order of their score, with conditions, pages and highlights."""

from collections.abc import Iterator

import pytest

from eventfold import Application, InvalidQuery
from eventstore.token import token_of
from tests.projections.library import Book, Lost, Noted, open_library, shelve
from tests.services.elasticsearch import Elasticsearch


@pytest.fixture
def library(elasticsearch_server: Elasticsearch, elasticsearch_name: str) -> Iterator[Application]:
    with open_library(elasticsearch_server.url, elasticsearch_name) as app:
        yield app


def test_a_word_finds_the_rows_that_have_it_the_best_first(library: Application) -> None:
    token = shelve(library)

    hits = library.query(Book).search("sea").all(after=token)

    assert [hit.row.isbn for hit in hits] == ["1", "2"]
    assert hits[0].score > hits[1].score > 0
    assert all(hit.highlights == {} for hit in hits)


def test_a_search_is_combined_with_conditions_before_and_after_it(library: Application) -> None:
    token = shelve(library)

    before = library.query(Book).where(year__lt=1960).search("sea").all(after=token)
    after = library.query(Book).search("sea").where(year__gte=1960).all(after=token)

    assert ([hit.row.isbn for hit in before], [hit.row.isbn for hit in after]) == (["2"], ["1"])


@pytest.mark.parametrize(("fuzziness", "found"), [(0, []), (1, ["3"]), ("auto", ["3"])])
def test_letters_may_differ_where_that_is_asked_for(library: Application, fuzziness: int, found: list[str]) -> None:
    token = shelve(library)

    hits = library.query(Book).search("melvile", fuzziness=fuzziness).all(after=token)  # type: ignore[arg-type]

    assert [hit.row.isbn for hit in hits] == found


def test_only_the_named_fields_are_searched_and_a_weight_moves_a_hit_up(library: Application) -> None:
    token = shelve(library)
    library.store.append("book-3", [Noted("the sea itself")])
    library.catch_up()
    query = library.query(Book)

    titles = query.search("sea", fields=["title"]).all(after=token)
    weighted = query.search("sea", fields=["title", "notes^50"]).all(after=token)

    assert "3" not in [hit.row.isbn for hit in titles]
    assert weighted[0].row.isbn == "3"


def test_highlights_show_where_it_was_found_by_the_models_fields(library: Application) -> None:
    token = shelve(library)

    hit = library.query(Book).search("hemingway man", highlight=True).first(after=token)

    assert hit is not None
    assert hit.highlights == {
        "title": ["The old <em>man</em> and the sea"],
        "author": ["Ernest <em>Hemingway</em>"],
    }


def test_hits_come_page_by_page_each_once(library: Application) -> None:
    token = shelve(library)
    search = library.query(Book).search("the sea dick")

    found, cursor = [], None
    while True:
        page = search.page(cursor=cursor, size=1, after=token)
        found += page.items
        cursor = page.next
        if cursor is None:
            break

    assert [hit.row.isbn for hit in found] == [hit.row.isbn for hit in search.all()]
    assert len(found) == search.count() == 4
    assert len(search.limit(2).all()) == 2


def test_a_deleted_row_is_not_found_again(library: Application) -> None:
    shelve(library)
    library.store.append("book-1", [Lost()])

    library.catch_up()
    token = shelve(library, {})

    assert [hit.row.isbn for hit in library.query(Book).search("sea").all(after=token)] == ["2"]
    client, name = library.query(Book).index
    assert [hit["_id"] for hit in client.search(index=name, query={"match_all": {}})["hits"]["hits"]] == ["2", "3", "4"]


def test_the_search_contains_the_write_of_a_token(library: Application) -> None:
    shelve(library)

    for n in range(3):
        appended = library.store.append("book-3", [Noted(f"whale{n}")])
        assert library.query(Book).search(f"whale{n}").count(after=token_of(appended.position)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": ["publisher"]}, "no field 'publisher'; there are isbn, title, author, year, notes"),
        ({"fields": ["year"]}, "year is long, which holds no text"),
        ({"fields": ["title^much"]}, r"expected a weight > 0, as in title\^2"),
        ({"fuzziness": 3}, 'expected 0, 1, 2 or "auto", got 3'),
    ],
)
def test_what_cannot_be_searched_is_said(library: Application, options: dict[str, object], message: str) -> None:
    shelve(library)

    with pytest.raises(InvalidQuery, match=message):
        library.query(Book).search("sea", **options).all()  # type: ignore[arg-type]


def test_a_model_without_an_index_says_how_to_add_one() -> None:
    from eventfold import Application, MemoryTable
    from tests.projections.library import books

    with (
        Application("memory://", projections=[books.into(MemoryTable())]) as app,
        pytest.raises(InvalidQuery, match=r"Book is not kept in a search index; add one, as in books.into"),
    ):
        app.query(Book).search("sea")


def test_hits_are_not_sorted_otherwise(library: Application) -> None:
    with pytest.raises(InvalidQuery, match="hits come in the order of their score"):
        library.query(Book).order_by("year").search("sea").all()


@pytest.mark.parametrize("cursor", ["", "x", "WzFd"])
def test_a_cursor_of_something_else_is_refused(library: Application, cursor: str) -> None:
    with pytest.raises(InvalidQuery, match="expected the `next` of a page of a search"):
        library.query(Book).search("sea").page(cursor=cursor)


def test_a_field_is_analyzed_as_the_target_says(elasticsearch_server: Elasticsearch, elasticsearch_name: str) -> None:
    fields = {"title": {"analyzer": "english"}, "author": "keyword", "notes": "text"}
    with open_library(elasticsearch_server.url, elasticsearch_name, fields=fields) as app:
        token = shelve(app)
        query = app.query(Book)

        english = query.search("seas", fields=["title"]).all(after=token)
        keyword = query.search("Iris Murdoch", fields=["author"]).all(after=token)

        assert {hit.row.isbn for hit in english} == {"1", "2", "4"}
        assert [hit.row.isbn for hit in keyword] == ["1"]
        index = query.search("x")._query
        with pytest.raises(InvalidQuery, match="notes is kept as text, which is searched and not compared"):
            index.where(notes="x").all()
