import json
from typing import Any

import pytest

from eventstore import NewEvent
from eventstore.identifier import new_id
from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli


@pytest.fixture
def chain(filled: Cli) -> list[str]:
    """The ids of an event, its effect, and the effects of that one: two, and one in another stream."""
    first = filled.json("history", "Order", "o-2")[0]["event_id"]
    with shop.app as app:
        app.parts.use_database(filled.database)
        app.dispatch(shop.AddItem("o-2", "cup"), causation_id=first, metadata={"actor": "ada"})
        second = list(app.store.read_stream("order-o-2"))[-1].event_id
        app.dispatch(shop.OpenOrder("o-3", "Cy"), causation_id=second)
        app.dispatch(shop.AddItem("o-2", "tin"), causation_id=second)
        third, fourth = [each.event_id for each in app.store.read_log()][-2:]
    return [first, second, third, fourth]


def shape(rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(each["depth"], each["id"]) for each in rows]


def test_effects_stand_under_what_caused_them(filled: Cli, chain: list[str]) -> None:
    first, second, third, fourth = chain

    assert shape(filled.json("effects", first)) == [(0, first), (1, second), (2, third), (2, fourth)]
    lines = [line.rstrip() for line in filled("effects", first).stdout.splitlines()]
    assert lines[1] == first
    assert lines[2].startswith("└── order-o-2 3  ItemAdded  ")
    assert lines[2].endswith("  by ada")
    assert lines[4].startswith("    ├── order-o-3 1  OrderOpened  ")
    assert lines[6].startswith("    └── order-o-2 4  ItemAdded  ")


def test_causes_go_up_to_the_command_and_the_first_stands_on_top(filled: Cli, chain: list[str]) -> None:
    first, second, _, fourth = chain
    rows = filled.json("causes", fourth)
    command = rows[-1]["id"]

    assert shape(rows) == [(0, fourth), (1, second), (2, first), (3, command)]
    assert rows[-1]["type"] is rows[-1]["version"] is None
    lines = filled("causes", fourth).stdout.splitlines()
    assert lines[0].rstrip() == "not an event of this log"
    assert [line.strip("└─│ ") for line in lines[1::2]] == [command, first, second, fourth]
    assert shape(filled.json("effects", command))[:2] == [(0, command), (1, first)]


def test_the_same_rows_come_in_every_format(filled: Cli, chain: list[str]) -> None:
    for noun in ("causes", "effects"):
        rows = filled.json(noun, chain[1])
        lines = filled(noun, chain[1], "--format", "jsonl").stdout.splitlines()
        table = filled(noun, chain[1], "--format", "csv").stdout.splitlines()
        assert [json.loads(each) for each in lines] == rows
        assert (table[0].split(","), len(table)) == (list(rows[0]), len(rows) + 1)


def test_what_lies_deeper_or_beyond_the_limit_is_announced(filled: Cli, chain: list[str]) -> None:
    assert len(filled.json("effects", chain[0], "--depth", "1")) == 2
    assert "--depth 0" in filled("effects", chain[0], "--depth", "1").stderr
    assert "--depth 0" in filled("causes", chain[3], "--depth", "1").stderr
    assert "2 more are not shown" in filled("effects", chain[0], "--limit", "2").stderr
    for depth in ("0", "2", "3"):
        assert filled("effects", chain[0], "--depth", depth).stderr == ""


def test_a_circle_is_marked(filled: Cli) -> None:
    first, second = new_id(), new_id()
    with shop.app as app:
        app.parts.use_database(filled.database)
        for each, cause in ((first, second), (second, first)):
            app.store.append("order-o-5", [NewEvent(shop.ItemsCleared(), event_id=each, causation_id=cause)])

    for noun in ("causes", "effects"):
        assert [each["again"] for each in filled.json(noun, first)] == [False, False, True]
        assert filled(noun, first).stdout.count("again: a circle") == 1


def test_a_long_chain_is_readable_at_80_columns(filled: Cli) -> None:
    with shop.app as app:
        app.parts.use_database(filled.database)
        cause = new_id()
        ids = []
        for _ in range(12):
            [cause] = app.store.append("order-o-5", [NewEvent(shop.ItemsCleared(), causation_id=cause)]).event_ids
            ids.append(cause)

    for noun, event in (("causes", ids[-1]), ("effects", ids[0])):
        shown = filled(noun, event).stdout
        assert max(map(len, shown.splitlines())) <= 80
        assert all(each in shown for each in (ids[1:] if noun == "causes" else ids[:-1]))


def test_bad_and_unknown_ids_are_refused(filled: Cli) -> None:
    unknown = new_id()
    assert "expected a UUID, got 'x'" in filled("causes", "x", code=1).stderr
    assert unknown in filled("causes", unknown, code=1).stderr
    assert unknown in filled("effects", unknown, code=1).stderr
    assert "printable" in filled("effects", "", code=1).stderr
