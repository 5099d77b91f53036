"""The navigation of the documentation leads to every page."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, name_of

NAVIGATION = re.findall(r"^ +- ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_a_page_stands_in_the_navigation_once(page: Path) -> None:
    assert NAVIGATION.count(name_of(page)) == 1


def test_what_stands_in_the_navigation_is_there() -> None:
    assert [each for each in NAVIGATION if not (DOCS / each).is_file()] == []


def test_the_first_page_links_to_every_page_that_is_no_decision() -> None:
    linked = set(re.findall(r"\]\(([\w/.-]+\.md)(?:#[\w-]+)?\)", (DOCS / "index.md").read_text(encoding="utf-8")))
    pages = {
        name_of(page) for folder in ("how-to", "reference", "explanation") for page in (DOCS / folder).glob("*.md")
    }
    assert pages - linked == set()
    assert [each for each in sorted(linked) if not (DOCS / each).is_file()] == []
