import json

from tests.eventfold.cli.conftest import Cli


def test_a_command_is_dispatched_and_its_receipt_printed(cli: Cli) -> None:
    receipt = cli.json("dispatch", "OpenOrder", "order_id=o-1", "owner=Ada")
    assert receipt["stream"] == "order-o-1"
    assert receipt["version"] == receipt["position"] == 1
    assert receipt["events"] == [{"type": "OrderOpened", "data": {"owner": "Ada"}}]
    assert "OrderOpened" in cli("dispatch", "OpenOrder", "order_id=o-2", "owner=Bob").stdout


def test_fields_are_read_by_their_declared_types(cli: Cli) -> None:
    cli("dispatch", "OpenOrder", "order_id=12", "owner=true", "due=2026-01-31")
    cli("dispatch", "AddItem", "order_id=12", "name=12", "cents=250")
    assert cli.json("state", "Order", "12")["state"] == {
        "owner": "true",
        "address": None,
        "items": [{"name": "12", "cents": 250}],
    }


def test_every_faulty_field_is_named_at_once(cli: Cli) -> None:
    refused = cli("dispatch", "AddItem", "cents=-5", f"name={'x' * 21}", "colour=red", code=1)
    for part in ("order_id: missing", "cents: expected `int` >= 1, got -5", "name: expected `str`", "colour: unknown"):
        assert part in refused.stderr
    assert refused.stdout == ""


def test_a_text_for_a_number_is_refused_by_name(cli: Cli) -> None:
    assert "cents: expected `int`" in cli("dispatch", "AddItem", "order_id=1", "name=a", "cents=abc", code=1).stderr


def test_fields_come_as_json_from_an_option_or_from_stdin(cli: Cli) -> None:
    fields = {"order_id": "o-1", "address": {"city": "Bath", "street": None}}
    cli("dispatch", "MoveOrder", "--json", json.dumps(fields))
    cli("dispatch", "MoveOrder", "order_id=o-2", "--json", "-", stdin=json.dumps(fields))
    assert cli.json("state", "Order", "o-2")["state"]["address"]["city"] == "Bath"


def test_what_is_no_json_object_or_no_pair_is_wrong_usage(cli: Cli) -> None:
    assert "JSON object" in cli("dispatch", "MoveOrder", "--json", "{", code=2).stderr
    assert "JSON object" in cli("dispatch", "MoveOrder", "--json", "[]", code=2).stderr
    assert "field=value" in cli("dispatch", "MoveOrder", "order_id", code=2).stderr
    assert "twice" in cli("dispatch", "MoveOrder", "order_id=1", "order_id=2", code=2).stderr


def test_a_rejection_is_one_sentence_and_exit_code_1(filled: Cli) -> None:
    refused = filled("dispatch", "OpenOrder", "order_id=o-1", "owner=Bob", code=1)
    assert refused.stderr == "error: order o-1 is open already\n"
    assert refused.stdout == ""


def test_a_command_that_nothing_handles_is_refused_with_those_there_are(cli: Cli) -> None:
    assert "AddItem, ClearItems, MoveOrder, OpenOrder" in cli("dispatch", "Fly", code=1).stderr


def test_what_travels_beside_a_command_is_stored_beside_its_events(cli: Cli) -> None:
    options = ["--correlation-id", "talk-1", "--metadata", "user=ada", "--metadata", "tries=3"]
    cli("dispatch", "OpenOrder", "order_id=o-1", "owner=Ada", "--occurred-at", "1997-01-31T10:00+01:00", *options)
    event = cli.json("events", "list")[0]
    assert event["correlation_id"] == "talk-1"
    assert event["metadata"] == {"user": "ada", "tries": 3}
    assert event["occurred_at"] == "1997-01-31T09:00:00Z"


def test_a_decision_with_nothing_to_say_still_gives_a_receipt(filled: Cli) -> None:
    filled("dispatch", "ClearItems", "order_id=o-1")
    assert filled.json("dispatch", "ClearItems", "order_id=o-1")["events"] == []


def test_an_async_application_is_dispatched_to_through_its_own_middleware(cli: Cli) -> None:
    cli("--app", "tests.eventfold.cli.shop:async_app", "dispatch", "OpenOrder", "order_id=o-1", "owner=Ada")
    assert cli.json("events", "list")[0]["metadata"] == {"stamped": True}
