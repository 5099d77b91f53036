"""Which parts were real in this run, for the table at its end."""

import sqlite3
from collections.abc import Mapping

PARTS = ("SQLite", "PostgreSQL", "Elasticsearch", "NATS", "Kafka", "RabbitMQ", "Redis", "Kafka Connect")
NOT_USED = "not used in this run"

_seen: dict[str, list[str]] = {"SQLite": [f"{sqlite3.sqlite_version}, Python's own"]}


def record(part: str, what: str) -> None:
    """Note that a part was real in this process (its version and origin), or why it could not be had."""
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r}: the parts are {', '.join(PARTS)}")
    known = _seen.setdefault(part, [])
    if what not in known:
        known.append(what)


def recorded() -> dict[str, list[str]]:
    """What this process knows, as plain data that one process can send to another."""
    return {part: list(known) for part, known in _seen.items()}


def merge(other: Mapping[str, list[str]]) -> None:
    """Take over what another process knows."""
    for part, known in other.items():
        for what in known:
            record(part, what)


def table() -> list[str]:
    """One line for each part."""
    width = max(map(len, PARTS))
    return [f"{part:<{width}}  {'; '.join(_seen.get(part, [NOT_USED]))}" for part in PARTS]
