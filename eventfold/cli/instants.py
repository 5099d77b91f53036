"""Instants and moments as they are typed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from eventfold.cli.session import usage_error

HELP = "A date, or a date and time; UTC unless it says otherwise."
KINDS = ("version", "position", "at", "occurred")


def until(text: str, option: str) -> datetime:
    """The instant that an option's text names; a plain date means the end of that day."""
    return _instant(text, time.max, option)


def since(text: str, option: str) -> datetime:
    """The instant that an option's text names; a plain date means the beginning of that day."""
    return _instant(text, time.min, option)


def moment_of(text: str, option: str, kind: str | None = None) -> tuple[str, Mapping[str, Any]]:
    """A moment such as `7`, `version:7`, `position:120`, `2026-01-31`, `at:2026-01-31` or `occurred:1997-06-30`.

    Args:
        text: what was typed; without a kind, an integer is a version and anything else an instant.
        option: where it was typed, for errors.
        kind: what it is where it does not say so itself.

    Returns:
        Its kind, and the bound as `eventstore.loading.moment` takes it.
    """
    prefix, colon, rest = text.partition(":")
    if colon and prefix in KINDS:
        kind, text = prefix, rest
    kind = kind or ("version" if text.isdecimal() else "at")
    if kind in {"at", "occurred"}:
        return kind, {kind: until(text, option)}
    if not text.isdecimal():
        usage_error(f"{option}: {kind}: expected a number, got {text!r}")
    return kind, {"at_version" if kind == "version" else "position": int(text)}


def _instant(text: str, of_day: time, option: str) -> datetime:
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), of_day, UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        usage_error(f"{option}: expected an instant such as 2026-01-31 or 2026-01-31T14:30:00+01:00, got {text!r}")
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
