import pytest

from eventfold.cli.history import _from, _newest
from eventstore import Recorded, Step
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.shop import Order

LONG = "Long Street " * 9


def test_each_event_shows_what_it_changed_when_and_by_whom(filled: Cli) -> None:
    filled("dispatch", "MoveOrder", "order_id=o-1", 'address={"city": "York"}', "--metadata", "actor=ada")

    *_, moved, last = filled.json("history", "Order", "o-1")

    assert (moved["version"], moved["type"], moved["occurred_at"]) == (4, "OrderMoved", "1997-04-01T00:00:00Z")
    assert moved["changes"] == [
        {"field": "address", "change": "changed", "before": None, "after": {"city": "Bath", "street": None}}
    ]
    assert [each["field"] for each in last["changes"]] == ["address.city"]
    assert (moved["actor"], last["actor"]) == (None, "ada")
    assert last["causation_id"] == last["correlation_id"] != moved["causation_id"]


def test_for_people_every_event_is_a_block_with_a_sign_for_each_change(filled: Cli) -> None:
    filled("dispatch", "ClearItems", "order_id=o-1", "--metadata", "actor=ada", "--occurred-at", "1997-05-01")

    shown = filled("history", "Order", "o-1").stdout

    blocks = [[line.rstrip() for line in each.splitlines()] for each in shown.split("\n\n")]
    assert [each[0] for each in blocks] == [
        "1  OrderOpened  1997-01-01 00:00:00",
        "2  ItemAdded  1997-02-01 00:00:00",
        "3  ItemAdded  1997-03-01 00:00:00",
        "4  OrderMoved  1997-04-01 00:00:00",
        "5  ItemsCleared  1997-05-01 00:00:00  by ada",
    ]
    assert blocks[0][3:] == ["   ~ owner  - -> Ada"]
    assert blocks[1][3:] == ['   + items[0]  name="tea" cents=300']
    assert blocks[4][3:] == ['   - items[0]  name="tea" cents=300', '   - items[1]  name="milk" cents=100']
    event = filled.json("history", "Order", "o-1")[0]
    assert event["event_id"] in blocks[0][1]
    assert blocks[0][2] == f"   caused by {event['causation_id']}, which began the conversation"


def test_it_is_readable_at_80_columns_and_nothing_is_cut_off(filled: Cli) -> None:
    filled("dispatch", "MoveOrder", "order_id=o-1", f'address={{"city": "Bath", "street": "{LONG}"}}')

    shown = filled("history", "Order", "o-1").stdout

    assert max(map(len, shown.splitlines())) <= 80
    assert (shown.count("Long"), "…" in shown) == (9, False)


@pytest.mark.parametrize("colour", [True, False])
def test_what_was_added_changed_and_removed_has_a_colour_unless_none_is_wanted(filled: Cli, *, colour: bool) -> None:
    filled("dispatch", "ClearItems", "order_id=o-1")
    filled.environment |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"} | ({} if colour else {"NO_COLOR": "1"})

    shown = filled("history", "Order", "o-1").stdout

    for sign, field, code in (("~", "owner", 33), ("+", "items[0]", 32), ("-", "items[0]", 31)):
        assert (f"\x1b[{code}m{sign} {field}" in shown) is colour
        assert f"{sign} {field}" in shown
    assert ("\x1b[3" in shown) is colour


def test_it_begins_and_ends_where_it_is_told_to_and_says_how_to_go_on(filled: Cli) -> None:
    def versions(*options: str) -> list[int]:
        return [each["version"] for each in filled.json("history", "Order", "o-1", *options)]

    assert versions("--from", "3") == [3, 4]
    assert versions("--from", "3", "--backwards") == [3, 2, 1]
    assert versions("--limit", "2", "--backwards") == [4, 3]
    assert versions("--version", "2") == versions("--occurred", "1997-02-28") == [1, 2]
    assert versions("--limit", "0") == [1, 2, 3, 4]
    assert versions("--from", "9") == []
    for form in ("table", "json", "jsonl", "csv"):
        found = filled("history", "Order", "o-1", "--from", "9", "-f", form)
        assert found.stderr == "Order o-1 has no such versions\n"
    assert found.stdout == filled("history", "Order", "o-1", "-f", "csv").stdout.splitlines(keepends=True)[0]
    for form in ("table", "jsonl"):
        assert "--from 3" in filled("history", "Order", "o-1", "--limit", "2", "-f", form).stderr
        assert "--from 2" in filled("history", "Order", "o-1", "--limit", "2", "--backwards", "-f", form).stderr
        assert filled("history", "Order", "o-1", "--limit", "4", "-f", form).stderr == ""


def test_steps_of_one_stored_event_are_never_cut_in_two() -> None:
    steps = [Step(Recorded(None, v, "order-1", v, 0, "T", 1, ""), (), Order()) for v in (1, 2, 2, 2, 3)]

    assert [[each.version for each in part] for part in _from(iter(steps), 2, 1)] == [[2, 2, 2], [3]]
    assert [[each.version for each in part] for part in _newest(iter(steps), None, 1)] == [[3], [2, 2, 2]]


def test_an_event_that_changed_nothing_says_so(filled: Cli) -> None:
    filled("dispatch", "MoveOrder", "order_id=o-1", 'address={"city": "Bath"}')

    assert "nothing changed" in filled("history", "Order", "o-1", "--from", "5").stdout


def test_an_unknown_aggregate_or_id_is_refused(filled: Cli) -> None:
    assert "there are: Order" in filled("history", "Ordre", "o-1", code=1).stderr
    assert "'order-o-9' has no events" in filled("history", "Order", "o-9", code=1).stderr
    assert "had no events then" in filled("history", "Order", "o-1", "--occurred", "1996-12-31", code=1).stderr
