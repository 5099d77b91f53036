"""`eventfold search`: what it refuses. What it finds is shown in the how-to about Elasticsearch, which runs."""

from typing import Any

import pytest

from eventfold.cli import search
from tests.eventfold.cli.conftest import Cli


def test_a_model_without_an_index_is_refused_with_the_remedy(cli: Cli) -> None:
    result = cli("search", "Sold", "ada", code=1)

    assert "Sold is not kept in a search index; add one" in result.stderr


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("2", 2), ("auto", "auto"), ("much", "much")])
def test_fuzziness_is_a_number_or_a_word_that_the_search_checks(text: str, expected: Any) -> None:
    assert search._fuzziness(text) == expected
