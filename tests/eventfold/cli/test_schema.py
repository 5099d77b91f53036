"""`eventfold types` and `eventfold schema`: what the log holds, and what newer code could not read."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventfold import Application, Event, JsonObject, Recorded, publication, upcasts
from eventfold.cli.schema import LOCK
from eventfold.known_messages import known_messages
from eventfold.stored_types import what_read
from tests.commands.outbox.shop import Cancelled, Ordered, OrderPlaced
from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli


class OlderMoved(Event, event_type="OrderMoved", version=7):
    city: str


class Unheard(Event):
    pass


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def append(cli: Cli, stream: str, *events: Event) -> None:
    shop.app.parts.use_database(cli.database)
    shop.app.store.append(stream, list(events))
    shop.app.close()


def test_types_lists_what_the_log_holds_and_how_it_is_read(filled: Cli) -> None:
    append(filled, "order-o-1", OlderMoved("Bath"), Unheard())

    found = {(each["type"], each["schema"]): each for each in filled.json("types")}

    assert {node: (each["events"], each["read"]) for node, each in found.items()} == {
        ("ItemAdded", 1): (3, "present"),
        ("OrderMoved", 1): (1, "present"),
        ("OrderMoved", 7): (1, "newer"),
        ("OrderOpened", 1): (2, "present"),
        ("Unheard", 1): (1, "unknown"),
    }
    assert (found["ItemAdded", 1]["reads_as"], found["Unheard", 1]["reads_as"]) == (["ItemAdded 1"], [])
    assert (found["ItemAdded", 1]["first_position"], found["ItemAdded", 1]["last_position"]) == (2, 6)


def test_the_lock_is_written_and_the_same_code_passes(cli: Cli) -> None:
    written = cli.json("schema", "lock")

    assert {each["state"] for each in written} == {"new"}
    assert {each["state"] for each in cli.json("schema", "lock")} == {"kept"}
    assert cli("schema", "check").stderr == "every shape that was ever locked reads\n"
    assert cli.json("schema", "check") == []


def test_a_shape_that_is_not_locked_yet_fails(cli: Cli) -> None:
    cli("schema", "lock")
    text = json.loads(LOCK.read_text(encoding="utf-8"))
    text["events"] = [each for each in text["events"] if each["type"] != "OrderMoved"]
    LOCK.write_text(json.dumps(text), encoding="utf-8")

    said = cli("schema", "check", code=1).stderr

    assert "not locked yet: OrderMoved 1; run `eventfold schema lock`, and commit schema.lock.json" in said


def test_a_missing_lock_is_an_error_that_says_how_to_write_it(cli: Cli) -> None:
    assert "write it with `eventfold schema lock`" in cli("schema", "check", code=1).stderr


def _locked_before(cli: Cli, change: Any) -> None:
    cli("schema", "lock")
    text = json.loads(LOCK.read_text(encoding="utf-8"))
    change({each["type"]: each for each in text["events"]})
    LOCK.write_text(json.dumps(text), encoding="utf-8")


def _with_another_field(events: dict[str, Any]) -> None:
    [shape] = events["OrderOpened"]["shapes"]
    shape["schema"]["properties"]["customer"] = shape["schema"]["properties"].pop("owner")
    shape["schema"]["required"] = ["customer"]
    shape["example"] = {"customer": "Ada"}
    shape["fingerprint"] = "other"


def test_a_change_that_cannot_be_read_is_refused_with_the_field_the_remedy_and_a_draft(cli: Cli) -> None:
    _locked_before(cli, _with_another_field)
    before = LOCK.read_text(encoding="utf-8")

    shown = cli("schema", "check", code=1)
    problems = json.loads(cli("schema", "check", "--format", "json", code=1).stdout)

    assert [(each["type"], each["version"], each["field"]) for each in problems] == [
        ("OrderOpened", 1, "owner"),
        ("OrderOpened", 1, "customer"),
    ]
    assert "give it a default, or raise the version to 2 and write an upcaster" in problems[0]["problem"]
    assert 'data["owner"] = data.pop("customer")  # renamed?' in shown.stdout
    assert "from eventfold import Event, JsonObject, upcasts" in shown.stdout
    assert (problems[0]["draft"] is None, problems[1]["draft"] is None) == (False, True)
    assert "not locked yet: OrderOpened 1" in shown.stderr
    assert "schema.lock.json is as it was" in cli("schema", "lock", code=1).stderr
    assert LOCK.read_text(encoding="utf-8") == before


def test_the_real_log_is_decoded_and_failures_are_counted(filled: Cli) -> None:
    append(filled, "order-o-1", OlderMoved("Bath"), Unheard(), OlderMoved("Rome"))
    append(filled, "note-1", Unheard())

    found = json.loads(filled("schema", "check", "--against-log", "--format", "json", code=1).stdout)

    failed = {(each["type"], each["schema"]): (each["events"], each["failed"], each["position"]) for each in found}
    assert failed["OrderMoved", 7] == (2, 2, 7)
    assert failed["Unheard", 1] == (2, 1, 8)
    assert failed["ItemAdded", 1] == (3, 0, None)


@pytest.mark.parametrize("sample", ["1", "3", "6", "100"])
def test_a_sample_of_the_log_is_decoded(filled: Cli, sample: str) -> None:
    found = filled.json("schema", "check", "--against-log", "--sample", sample)

    assert sum(each["events"] for each in found) == min(int(sample), 6)


def test_a_sample_without_a_log_is_wrong_usage(cli: Cli) -> None:
    assert "--sample goes with --against-log" in cli("schema", "check", "--sample", "5", code=2).stderr


def test_the_catalogue_is_printed_for_people_and_for_programs(cli: Cli, folder: Path) -> None:
    markdown = cli("schema", "docs").stdout
    schema = json.loads(cli("schema", "docs", "--as", "json-schema").stdout)
    cli("schema", "docs", "--as", "asyncapi", "--output", "asyncapi.json")
    asyncapi = json.loads((folder / "asyncapi.json").read_text(encoding="utf-8"))

    assert markdown.startswith("# Events of shop\n\n## ItemAdded\n")
    assert "| `owner` | string | required |" in markdown
    assert set(schema["$defs"]) >= {"OrderOpened", "ItemAdded", "ItemsCleared", "OrderMoved", "Item", "Address"}
    assert set(asyncapi["components"]["messages"]) == {"OrderOpened", "ItemAdded", "ItemsCleared", "OrderMoved"}
    assert (
        "--output: missing/docs.md cannot be written: No such file"
        in cli("schema", "docs", "-o", "missing/docs.md", code=1).stderr
    )
    assert "prints a document, and no rows" in cli("schema", "docs", "--format", "json", code=2).stderr
    assert "expected one of markdown" in cli("schema", "docs", "--as", "xml", code=2).stderr


def test_the_catalogue_has_the_messages_that_are_sent_and_consumed(cli: Cli) -> None:
    page = cli("schema", "docs", "--app", "tests.eventfold.cli.hearing:app").stdout

    assert "# Messages of application\n\n## Numbered\n" in page
    assert "Version 1, on channel `numbers`: consumed by `hear` for group `hear`." in page
    assert "Version 2, on channel `orders`: sent of `Ordered`.\n\n| field |" in page
    assert "Version 1, on channel `letters`: sent by `place`, sent by `remind`." in page
    assert "Messages of" not in cli("schema", "docs").stdout


@pytest.mark.parametrize(
    "annotation",
    ["Nowhere", "list[json.Nowhere]", "list[", "1 / 0"],
    ids=["a name that only type checkers see", "one in a module that only they see", "no expression", "one that fails"],
)
def test_the_catalogue_has_the_messages_of_a_publication_alone(annotation: str) -> None:
    class Order:
        """A map that is an object, and one whose annotation says nothing."""

        def __call__(self, recorded: Recorded[Ordered]) -> list[OrderPlaced]:
            return []

    def silent(recorded: Any) -> Any:
        return recorded

    silent.__annotations__["return"] = annotation
    parts = Application(
        "memory://", reactions=[publication("feed", {Ordered: Order(), Cancelled: silent})], broker="memory://x"
    ).parts

    assert [(each.message, each.uses) for each in known_messages(parts)] == [(OrderPlaced, ("sent of `Ordered`",))]


def test_types_shows_what_older_shapes_are_read_as() -> None:
    @upcasts("Moved", 1, into={"Left": 1, "Came": 1})
    def both(data: JsonObject) -> list[tuple[str, JsonObject]]:
        return [("Left", data), ("Came", data)]

    class Left(Event, upcasters=[both]):
        city: str

    class Came(Event, upcasters=[both], aliases=["Arrived"]):
        city: str

    read_as = what_read(Application("memory://", events=[Left, Came]).parts)

    assert read_as("Moved", 1) == ["Came 1", "Left 1"]
    assert read_as("Arrived", 1) == read_as("Came", 1) == ["Came 1"]
    assert read_as("Came", 2) == read_as("Unheard", 1) == []
