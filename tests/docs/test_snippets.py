"""Every Python block of the documentation runs, and prints what the page says."""

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks_of, name_of, pages_with
from tests.docs.run_page import run_page
from tests.services.elasticsearch import Elasticsearch

VARIABLE = "DATABASE_URL"
SEARCH_VARIABLE = "ELASTICSEARCH_URL"
PAGES = pages_with("python")
ON_POSTGRESQL = [page for page in PAGES if any(VARIABLE in block.text for block in blocks_of(page))]
ON_ELASTICSEARCH = [page for page in PAGES if any(SEARCH_VARIABLE in block.text for block in blocks_of(page))]
ANYWHERE = [page for page in PAGES if page not in ON_POSTGRESQL + ON_ELASTICSEARCH]


@pytest.mark.parametrize("page", ANYWHERE, ids=name_of)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, monkeypatch)


@pytest.mark.parametrize("page", ON_POSTGRESQL, ids=name_of)
def test_every_block_of_a_page_about_postgresql_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, postgres_url)
    run_page(page, monkeypatch)


@pytest.mark.parametrize("page", ON_ELASTICSEARCH, ids=name_of)
def test_every_block_of_a_page_about_elasticsearch_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    elasticsearch_server: Elasticsearch,
    elasticsearch_name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SEARCH_VARIABLE, elasticsearch_server.url)
    monkeypatch.setenv("CUSTOMERS_INDEX", elasticsearch_name)
    run_page(page, monkeypatch)


def test_a_block_that_prints_something_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "wrong.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="not what it prints"):
        run_page(page, monkeypatch)


def test_there_are_pages_to_run() -> None:
    assert DOCS / "tutorial.md" in ANYWHERE
    assert ON_POSTGRESQL
    assert ON_ELASTICSEARCH
