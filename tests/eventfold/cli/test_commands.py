from tests.eventfold.cli.conftest import Cli


def test_every_command_is_listed_with_its_fields_handler_and_events(cli: Cli) -> None:
    rows = {each["command"]: each for each in cli.json("commands", "list")}

    assert rows["OpenOrder"]["events"] == ["OrderOpened", "ItemAdded", "ItemsCleared", "OrderMoved"]
    assert rows["OpenOrder"]["handler"] == "tests.eventfold.cli.shop.open_order"
    assert rows["OpenOrder"]["fields"][0] == {"name": "order_id", "type": "str", "required": True, "default": None}
    assert rows["OpenOrder"]["pipeline"][-1] == "decision"


def test_the_messages_that_a_handler_names_are_told(cli: Cli) -> None:
    shown = cli.json("commands", "show", "Place", "--app", "tests.eventfold.cli.telling:app")

    assert (shown["events"], shown["messages"]) == (["Ordered"], ["Reminder"])


def test_for_people_fields_are_words_and_the_way_of_a_command_stands_below(cli: Cli) -> None:
    shown = cli("commands", "list").stdout

    assert "order_id: str" in shown
    assert "each goes through validation > " in shown.replace("\n", " ")


def test_a_command_is_shown_field_by_field(cli: Cli) -> None:
    found = cli.json("commands", "show", "OpenOrder")

    assert [each["name"] for each in found["fields"]] == ["order_id", "owner", "due"]
    assert "order_id" in cli("commands", "show", "OpenOrder").stdout


def test_an_unknown_command_is_refused_with_those_that_exist(cli: Cli) -> None:
    assert "there are: " in cli("commands", "show", "OpenOrdr", code=1).stderr
