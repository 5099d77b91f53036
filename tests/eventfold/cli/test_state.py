import pytest

from tests.eventfold.cli.conftest import Cli


def test_the_state_is_shown_now_or_at_a_moment(filled: Cli) -> None:
    def items(*moment: str) -> list[str]:
        return [each["name"] for each in filled.json("state", "Order", "o-1", *moment)["state"]["items"]]

    assert items() == ["tea", "milk"]
    assert items("--version", "2") == ["tea"]
    assert items("--position", "1") == []
    assert items("--occurred", "1997-02-01") == ["tea"]
    assert items("--at", "2999-12-31") == ["tea", "milk"]


def test_a_plain_date_means_the_end_of_that_day(filled: Cli) -> None:
    filled("dispatch", "AddItem", "order_id=o-1", "name=late", "--occurred-at", "1997-05-01T23:59:59")
    assert filled.json("state", "Order", "o-1", "--occurred", "1997-05-01")["version"] == 5
    assert filled.json("state", "Order", "o-1", "--occurred", "1997-05-01T12:00")["version"] == 4


def test_an_aggregate_is_named_by_class_or_by_category(filled: Cli) -> None:
    assert filled.json("state", "order", "o-1") == filled.json("state", "Order", "o-1")
    assert "there are: Order" in filled("state", "Ordre", "o-1", code=1).stderr


def test_a_stream_without_events_has_no_state(filled: Cli) -> None:
    assert "'order-o-9' has no events" in filled("state", "Order", "o-9", code=1).stderr
    assert "has no events" in filled("state", "Order", "o-9", "--diff", "1..2", code=1).stderr


@pytest.mark.parametrize(
    "moment",
    [
        ["--occurred", "1996-12-31"],
        ["--at", "1997-12-31"],
        ["--version", "0"],
        ["--position", "0"],
        ["--diff", "1996-01-01..1997-06-30"],
    ],
)
def test_a_stream_without_events_by_then_is_told_from_one_without_any(filled: Cli, moment: list[str]) -> None:
    said = filled("state", "Order", "o-1", *moment, code=1).stderr

    assert "'order-o-1' had no events then: its first one occurred 1997-01-01 00:00:00 UTC and was recorded 2" in said
    assert ("--diff occurred:A..B" in said) == ("--diff" in moment)


def test_the_whole_name_of_a_stream_in_the_place_of_its_id_is_understood_and_refused(filled: Cli) -> None:
    for noun in ("state", "history", "blame"):
        said = filled(noun, "Order", "order-o-1", code=1).stderr
        assert "'order-o-1' has: its id is 'o-1', without the category" in said


def test_a_version_that_the_stream_does_not_have_yet_is_not_passed_over(filled: Cli) -> None:
    assert filled("state", "Order", "o-1", "--version", "4").stderr == ""
    for asked in (["--version", "1700"], ["--diff", "2..1700"], ["--diff", "1700.."]):
        said = filled("state", "Order", "o-1", *asked).stderr
        assert "order-o-1 has no version 1700 yet: this is version 4, its last one" in said


def test_a_diff_names_each_field_that_differs_nested_ones_too(filled: Cli) -> None:
    found = filled.json("state", "Order", "o-1", "--diff", "2..4")
    assert [(each["field"], each["change"], each["after"]) for each in found] == [
        ("address", "changed", {"city": "Bath", "street": None}),
        ("items[1]", "added", {"name": "milk", "cents": 100}),
    ]
    filled("dispatch", "MoveOrder", "order_id=o-1", 'address={"city": "Bath", "street": "High St"}')
    filled("dispatch", "ClearItems", "order_id=o-1")
    found = filled.json("state", "Order", "o-1", "--diff", "4..")
    assert [(each["field"], each["change"], each["before"]) for each in found] == [
        ("address.street", "changed", None),
        ("items[0]", "removed", {"name": "tea", "cents": 300}),
        ("items[1]", "removed", {"name": "milk", "cents": 100}),
    ]
    assert {each["from_version"] for each in found} == {4}
    assert {each["to_version"] for each in found} == {6}


def test_the_ends_of_a_diff_may_be_positions_or_instants_and_may_be_left_out(filled: Cli) -> None:
    def versions(diff: str) -> tuple[int, int]:
        found = filled.json("state", "Order", "o-1", "--diff", diff)
        return found[0]["from_version"], found[0]["to_version"]

    assert versions("..") == (0, 4)
    assert versions("..2") == (0, 2)
    assert versions("3..") == (3, 4)
    assert versions("position:1..3") == (1, 3)
    assert versions("occurred:1997-01-31..1997-03-31") == (1, 3)
    assert versions("occurred:1997-01-31..version:4") == (1, 4)
    assert versions("1990-01-01..2999-12-31") == (0, 4)


def test_what_was_known_on_one_day_about_another(filled: Cli) -> None:
    filled("dispatch", "MoveOrder", "order_id=o-1", 'address={"city": "York"}', "--occurred-at", "1997-01-15")
    known = filled.json("events", "list", "--format", "json")[3]["recorded_at"]

    def city(*moment: str) -> str | None:
        address = filled.json("state", "Order", "o-1", *moment)["state"]["address"]
        return address and address["city"]

    assert city("--occurred", "1997-01-31") == "York"
    assert city("--at", known, "--occurred", "1997-01-31") is None
    assert city("--at", known, "--occurred", "1997-04-30") == "Bath"
    found = filled.json("state", "Order", "o-1", "--occurred", "1997-01-31", "--diff", f"{known}..")
    assert [(each["field"], each["before"], each["after"]["city"]) for each in found] == [("address", None, "York")]
    found = filled.json("state", "Order", "o-1", "--at", known, "--diff", "occurred:1997-02-28..1997-04-30")
    assert [each["field"] for each in found] == ["address", "items[1]"]


def test_a_diff_is_readable_at_80_columns_in_colours(filled: Cli) -> None:
    long = "Long Street " * 9
    filled("dispatch", "MoveOrder", "order_id=o-1", f'address={{"city": "Bath", "street": "{long}"}}')
    plain = filled("state", "Order", "o-1", "--diff", "4..5").stdout
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.count("Long") == 9
    assert plain.splitlines()[0] == "order-o-1: version 4 -> 5"
    filled.environment |= {"FORCE_COLOR": "1"}
    assert "\x1b[33mchanged" in filled("state", "Order", "o-1", "--diff", "4..5").stdout
    assert "\x1b[32madded" in filled("state", "Order", "o-1", "--diff", "1..2").stdout


def test_nothing_changed_is_said(filled: Cli) -> None:
    assert "nothing changed" in filled("state", "Order", "o-1", "--diff", "4..4").stderr
    assert filled("state", "Order", "o-1", "--diff", "4..4", "--format", "json").stdout == "[]\n"


def test_what_is_no_moment_is_wrong_usage(filled: Cli) -> None:
    for arguments in (
        ["--diff", "3"],
        ["--diff", "a..b"],
        ["--diff", "position:x..2"],
        ["--diff", "²..3"],
        ["--at", "no"],
    ):
        assert f"{arguments[0]}: " in filled("state", "Order", "o-1", *arguments, code=2).stderr
    assert "--version" in filled("state", "Order", "o-1", "--diff", "1..2", "--version", "2", code=2).stderr
    filled("state", "Order", "o-1", "--version", "-1", code=2)
