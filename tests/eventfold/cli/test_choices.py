"""Commands with choices, as they are typed: a choice of texts is text, also where it looks like a number."""

from typing import Any, Literal

import pytest

from eventfold import Command
from eventfold.cli.fields import read_fields


class Paint(Command):
    colour: Literal["red", "7", "true"]
    coats: Literal[1, 2] = 1
    tone: Literal["1", "x"] | None = None


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        (["colour=red"], {"colour": "red"}),
        (["colour=7"], {"colour": "7"}),
        (["colour=true", "coats=2"], {"colour": "true", "coats": 2}),
        (["colour=8"], {"colour": "8"}),
        (["coats=3"], {"coats": 3}),
        (["tone=1"], {"tone": "1"}),
        (["tone=2"], {"tone": "2"}),
    ],
    ids=str,
)
def test_a_choice_is_read_as_the_type_that_it_is_of(typed: list[str], fields: dict[str, Any]) -> None:
    assert read_fields(typed, Paint) == fields
