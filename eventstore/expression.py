"""Conditions over a state, in the Common Expression Language (https://cel.dev): it can read, and do nothing else."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from eventstore.comparison import comparisons_in, wrong_kind
from eventstore.errors import InvalidInput, Unsupported

MAX_LENGTH = 1_000
"""The longest expression that is parsed: the parser descends as deep as an expression is nested."""

_SYNTAX_ERROR = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_FIELD = re.compile(r"\bstate((?:\.[A-Za-z_]\w*)+)")


def compile_condition(text: str) -> Callable[[Any], bool]:
    """A function that says whether a state meets the condition.

    Args:
        text: an expression over `state`, such as `state.balance < 0`. The state is seen as JSON has it, but with instants as
            CEL's timestamps and time spans as its durations.

    Returns:
        The function. It raises `InvalidInput` where the condition cannot be answered for a state.

    Raises:
        InvalidInput: it is not an expression; the error names the column.
        Unsupported: the library that reads it is not installed.
    """
    try:
        import cel
    except ImportError as error:
        raise Unsupported(
            "conditions as text need another library: install eventfold with its extra `bisect`, as in "
            "pip install 'path/to/eventfold[bisect]'"
        ) from error
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_LENGTH:
        raise InvalidInput(f"condition: expected an expression of 1 to {MAX_LENGTH:,} characters, got {text!r:.60}")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise InvalidInput(f"condition {text!r}: {_where(str(error))}; write it as in `state.balance < 0`") from error

    comparisons = comparisons_in(text)

    def holds(state: Any) -> bool:
        seen = msgspec.to_builtins(state, str_keys=True, builtin_types=(datetime, timedelta), enc_hook=repr)
        try:
            answer = program.execute({"state": seen})
        except Exception as error:  # the library raises whatever fits: KeyError, TypeError, OverflowError, ...
            raise InvalidInput(f"condition {text!r}: {_reason(text, type(state), seen, error)}") from error
        if (problem := wrong_kind(comparisons, seen)) is not None:
            raise InvalidInput(f"condition {text!r}: {problem}")
        if not isinstance(answer, bool):
            raise InvalidInput(f"condition {text!r}: expected true or false, got {answer!r}; compare it with something")
        return answer

    return holds


def _where(message: str) -> str:
    """The parser's first complaint, with its place."""
    found = _SYNTAX_ERROR.search(message)
    if found is None:
        return message.partition("\n")[0]
    line, column, complaint = found.groups()
    place = f"column {column}" if line == "1" else f"line {line}, column {column}"
    return f"{place}: {complaint.partition(' expecting ')[0]}"


def _reason(text: str, aggregate: type, seen: dict[str, Any], error: Exception) -> str:
    """Why it cannot be answered, with the field at fault where one can be named."""
    for found in _FIELD.findall(text):
        if (problem := _missing(found[1:].split("."), aggregate, seen)) is not None:
            return problem
    if isinstance(error, KeyError):
        key = error.args[0]
        found = re.search(rf"(state(?:\.\w+)*)\[(['\"]){re.escape(str(key))}\2\]", text)
        return (
            f"there is no {key!r}"
            if found is None
            else f"there is no {key!r}; ask for `'{key}' in {found[1]} && ...` first"
        )
    reason = str(error).partition(". ")[0]
    return f"{reason}; an expression speaks of `state`, and compares values of one kind"


def _missing(names: list[str], aggregate: type, seen: Any) -> str | None:
    """What stops the way down a path of fields: one that is null, or not there."""
    path, value = "state", seen
    for name in names:
        if value is None:
            return f"{path} is null; ask for `{path} != null && ...` first"
        if not isinstance(value, dict):
            return None
        if name not in value:
            owner = aggregate.__name__ if path == "state" else path
            return f"{owner} has no field {name!r} (it has: {', '.join(value) or 'none'})"
        path, value = f"{path}.{name}", value[name]
    return f"{path} is null; ask for `{path} != null && ...` first" if value is None else None
