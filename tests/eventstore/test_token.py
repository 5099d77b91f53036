"""Consistency tokens: opaque, sortable, and never guessed at."""

from itertools import pairwise

import pytest

from eventstore import InvalidInput
from eventstore.bounds import MAX_NUMBER
from eventstore.token import position_of, token_of

POSITIONS = [0, 1, 9, 10, 15, 16, 255, 10**6, 2**32, MAX_NUMBER]


def test_a_token_stands_for_its_position() -> None:
    assert [position_of(token_of(position)) for position in POSITIONS] == POSITIONS


def test_tokens_sort_as_positions_do() -> None:
    assert all(token_of(low) < token_of(high) for low, high in pairwise(POSITIONS))


@pytest.mark.parametrize("given", ["", "7", "ef1", "ef2" + "0" * 16, "ef1" + "f" * 16, "ef1" + "0" * 17, 7, None])
def test_what_is_no_token_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match="token: expected the token of a receipt, got "):
        position_of(given)  # type: ignore[arg-type]  # wrong on purpose
