"""Finds what a condition compares with a literal of another kind: the language answers that with a quiet no."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

_STRING = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
_LITERAL = rf"(?:{_STRING}|-?\d+(?:\.\d+)?u?(?![\w.])|(?:true|false)\b)"
_PATH = r"state(?:\.[A-Za-z_]\w*)+(?![\w.\[(])"
_COMPARISON = re.compile(rf"({_PATH})\s*[!=]=\s*({_LITERAL})|(?<![\w.])({_LITERAL})\s*[!=]=\s*({_PATH})|(?:{_STRING})")
"""A field and a literal, or the other way round; a text between quotes is passed over, whatever stands in it."""


class Comparison(NamedTuple):
    """A field of the state, and the literal that it is compared with."""

    path: str
    literal: str


def comparisons_in(text: str) -> list[Comparison]:
    """The comparisons of a field with a literal in a condition."""
    found = (each.groups() for each in _COMPARISON.finditer(text))
    return [Comparison(one or other, right or left) for one, right, left, other in found if one or other]


def wrong_kind(comparisons: Sequence[Comparison], seen: Any) -> str | None:
    """What is wrong with the first one whose field holds a value of another kind than the literal.

    Args:
        comparisons: of the condition.
        seen: the state, as the condition sees it.
    """
    for path, literal in comparisons:
        value = seen
        for name in path.split(".")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        kind, wanted = _kind_of(value), _kind_of_literal(literal)
        if value is not None and kind != wanted:
            return f"{path} is {kind}, and {literal} is {wanted}: they are never equal; compare values of one kind"
    return None


def _kind_of(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", dict: "an object", list: "a list"}
    instants = {datetime: "an instant, as in timestamp(...)", timedelta: "a time span, as in duration(...)"}
    return {**kinds, **instants}.get(type(value), type(value).__name__)


def _kind_of_literal(literal: str) -> str:
    if literal[0] in "'\"":
        return "text"
    return "true or false" if literal in {"true", "false"} else "a number"
