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
