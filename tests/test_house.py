"""Arrows go down only: eventfold -> {commands, projections} -> eventstore."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTSIDE = frozenset({"tests", "examples", "docs", "benchmarks"})
MAY_IMPORT = {
    "eventstore": frozenset[str](),
    "commands": frozenset({"eventstore"}),
    "projections": frozenset({"eventstore"}),
    "eventfold": frozenset({"eventstore", "commands", "projections"}),
}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Every absolute import, wherever in the module it stands: its line, and its top-level package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def against_the_arrows(room: str, source: str) -> list[str]:
    forbidden = (MAY_IMPORT.keys() | OUTSIDE) - MAY_IMPORT[room] - {room}
    return [f"line {line} imports {name}" for line, name in imported(source) if name in forbidden]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_go_down_only(room: str) -> None:
    modules = sorted((ROOT / room).rglob("*.py"))
    assert modules, f"there is nothing in {room}/"
    wrong = [
        f"{module.relative_to(ROOT)}: {what}"
        for module in modules
        for what in against_the_arrows(room, module.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_every_room_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("eventstore", "import commands"),
        ("eventstore", "from eventfold.application import Application"),
        ("commands", "def f():\n    from projections.query import Query"),
        (
            "projections",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import commands.bus as bus",
        ),
        ("eventfold", "import json, tests.services"),
    ],
)
def test_a_wrong_arrow_is_seen(room: str, source: str) -> None:
    assert len(against_the_arrows(room, source)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("eventstore", "from .commands import x\nimport eventstore.event\nimport json"),
        ("commands", "from eventstore import Event\nimport commands.bus"),
        ("eventfold", "import eventstore, commands, projections, eventfold"),
    ],
)
def test_a_right_arrow_is_let_through(room: str, source: str) -> None:
    assert against_the_arrows(room, source) == []
