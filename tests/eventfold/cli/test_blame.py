from tests.eventfold.cli.conftest import Cli


def test_each_field_shows_the_event_that_last_set_it(filled: Cli) -> None:
    filled("dispatch", "MoveOrder", "order_id=o-1", 'address={"city": "York"}', "--metadata", "actor=ada")

    found = filled.json("blame", "Order", "o-1")

    assert [(each["field"], each["value"], each["version"], each["actor"]) for each in found] == [
        ("owner", "Ada", 1, None),
        ("address.city", "York", 5, "ada"),
        ("address.street", None, 4, None),
        ("items[0].name", "tea", 2, None),
        ("items[0].cents", 300, 2, None),
        ("items[1].name", "milk", 3, None),
        ("items[1].cents", 100, 3, None),
    ]
    assert found[0]["type"] == "OrderOpened"


def test_a_field_that_no_event_has_set_has_none(filled: Cli) -> None:
    address = filled.json("blame", "Order", "o-2")[1]

    assert (address["field"], address["version"], address["event_id"]) == ("address", None, None)


def test_it_asks_about_a_moment(filled: Cli) -> None:
    assert [each["field"] for each in filled.json("blame", "Order", "o-1", "--version", "1")] == [
        "owner",
        "address",
        "items",
    ]


def test_for_people_it_is_a_table_with_a_column_for_whoever_did_it_where_that_is_known(filled: Cli) -> None:
    assert " by" not in filled("blame", "Order", "o-1").stdout.splitlines()[0]
    filled("dispatch", "ClearItems", "order_id=o-1", "--metadata", "actor=ada", "--occurred-at", "1997-05-01")

    shown = filled("blame", "Order", "o-1").stdout.splitlines()

    assert shown[0].split() == ["field", "value", "ver", "type", "occurred", "(UTC)", "by"]
    assert shown[-1].split() == ["items", "[]", "5", "ItemsCleared", "1997-05-01", "00:00:00", "ada"]


def test_an_unknown_aggregate_or_id_is_refused(filled: Cli) -> None:
    assert "there are: Order" in filled("blame", "Ordre", "o-1", code=1).stderr
    assert "'order-o-9' has no events" in filled("blame", "Order", "o-9", code=1).stderr
