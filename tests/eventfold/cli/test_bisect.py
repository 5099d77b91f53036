import pytest

from tests.eventfold.cli.conftest import Cli


def test_the_first_event_after_which_the_condition_holds_is_shown(filled: Cli) -> None:
    found = filled.json("bisect", "Order", "o-1", "state.items.exists(item, item.cents < 200)")

    assert (found["version"], found["type"]) == (3, "ItemAdded")
    assert found["changes"][0]["after"] == {"name": "milk", "cents": 100}
    assert [each["name"] for each in found["state"]["items"]] == ["tea", "milk"]


def test_for_people_it_is_a_block_as_in_the_history(filled: Cli) -> None:
    shown = filled("bisect", "Order", "o-1", "size(state.items) == 1").stdout

    assert shown.splitlines()[0].rstrip() == "2  ItemAdded  1997-02-01 00:00:00"
    assert '+ items[0]  name="tea" cents=300' in shown


def test_a_condition_that_never_holds_is_a_failure_that_says_so(filled: Cli) -> None:
    condition = "size(state.items) > 2"

    result = filled("bisect", "Order", "o-1", condition, code=1)

    assert f"{condition} holds after none" in result.stderr
    assert result.stdout == ""
    filled("bisect", "Order", "o-1", "size(state.items) == 2", "--occurred", "1997-02-28", code=1)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("state.owner = 'Ada'", "column 13"),
        ("state.ownr == 'Ada'", "Order has no field 'ownr' (it has: owner, address, items)"),
        ("state.address.city == 'Bath'", "state.address is null"),
        ("size(state.items)", "expected true or false, got 0"),
        ("__import__('os').system('true') == 0", "__import__"),
    ],
)
def test_a_bad_condition_is_refused_with_the_column_or_the_field(filled: Cli, condition: str, message: str) -> None:
    assert message in filled("bisect", "Order", "o-1", condition, code=1).stderr


def test_an_unknown_aggregate_or_id_is_refused(filled: Cli) -> None:
    assert "there are: Order" in filled("bisect", "Ordre", "o-1", "true", code=1).stderr
    assert "'order-o-9' has no events" in filled("bisect", "Order", "o-9", "true", code=1).stderr
