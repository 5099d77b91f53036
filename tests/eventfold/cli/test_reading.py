"""streams, events and query."""

import pytest

from tests.eventfold.cli.conftest import Cli


def test_streams_are_listed_by_name_and_category_page_by_page(filled: Cli) -> None:
    assert [each["stream"] for each in filled.json("streams", "list")] == ["order-o-1", "order-o-2"]
    assert filled.json("streams", "list", "--category", "cart") == []
    first = filled("streams", "list", "--limit", "1", "--format", "csv")
    assert "go on with --after order-o-1" in first.stderr
    assert [each["stream"] for each in filled.json("streams", "list", "--after", "order-o-1")] == ["order-o-2"]


def test_a_stream_is_shown_forwards_and_backwards_from_a_version(filled: Cli) -> None:
    def versions(*options: str) -> list[int]:
        return [each["version"] for each in filled.json("streams", "show", "order-o-1", *options)]

    assert versions() == [1, 2, 3, 4]
    assert versions("--from", "3") == [3, 4]
    assert versions("--backwards") == [4, 3, 2, 1]
    assert versions("--backwards", "--from", "2") == [2, 1]
    assert versions("--limit", "2") == [1, 2]
    assert "--from 3" in filled("streams", "show", "order-o-1", "--limit", "2").stderr
    assert "--from 2" in filled("streams", "show", "order-o-1", "--limit", "2", "--backwards").stderr
    assert "has no events" in filled("streams", "show", "order-o-9", code=1).stderr


def test_events_are_listed_by_filter(filled: Cli) -> None:
    def positions(*options: str) -> list[int]:
        return [each["position"] for each in filled.json("events", "list", *options)]

    assert positions() == [1, 2, 3, 4, 5, 6]
    assert positions("--after", "4") == [5, 6]
    assert positions("--backwards", "--after", "3") == [2, 1]
    assert positions("--type", "OrderOpened", "--type", "OrderMoved") == [1, 4, 5]
    assert positions("--tag", "customer:Bob") == [5]
    assert positions("--stream", "order-o-2") == [5, 6]
    assert positions("--category", "cart") == []
    assert positions("--since", "2999-01-01") == positions("--until", "1999-01-01") == []
    assert positions("--since", "2000-01-01", "--until", "2999-01-01", "--limit", "2") == [1, 2]


def test_an_event_is_shown_by_its_id(filled: Cli) -> None:
    event_id = filled.json("events", "list")[0]["event_id"]
    assert event_id in filled("events", "show", event_id).stdout
    assert filled.json("events", "show", event_id)["tags"] == ["customer:Ada"]
    assert "no event" in filled("events", "show", event_id[::-1].replace("-", "")[:32], code=1).stderr
    assert "expected a UUID" in filled("events", "show", "x", code=1).stderr


def test_tail_ends_after_a_count_and_keeps_to_its_filters(filled: Cli) -> None:
    lines = filled("events", "tail", "--from-start", "--type", "ItemAdded", "--count", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "3"]
    lines = filled("events", "tail", "--after", "4", "--count", "1", "--format", "csv").stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["position", "5"]
    filled("events", "tail", "--after", "4", "--from-start", code=2)


@pytest.mark.parametrize(
    ("conditions", "keys"),
    [
        ([], ["o-1", "o-2"]),
        (["cents>=400"], ["o-1"]),
        (["cents < 400"], ["o-2"]),
        (["owner=Ada"], ["o-1"]),
        (["owner != Ada"], ["o-2"]),
        (["owner^=B"], ["o-2"]),
        (["owner in Ada, Bob", "cents<=100"], ["o-2"]),
        (["moved_at is null"], ["o-2"]),
        (["moved_at is not null"], ["o-1"]),
        (["moved_at>1997-03-31T00:00:00Z"], ["o-1"]),
    ],
)
def test_rows_are_chosen_by_conditions(filled: Cli, conditions: list[str], keys: list[str]) -> None:
    options = [word for each in conditions for word in ("--where", each)]
    rows = filled.json("query", "OrderRow", "--fresh", *options)
    assert [each["order_id"] for each in rows] == keys
    assert filled.json("query", "orders", "--count", *options) == {"count": len(keys)}


def test_rows_come_in_order_and_in_pages(filled: Cli) -> None:
    first = filled("query", "orders", "--fresh", "--order", "-order_id", "--limit", "1", "--format", "csv")
    cursor = first.stderr.partition("--page-after ")[2].partition(",")[0]
    second = filled("query", "orders", "--order", "-order_id", "--page-after", cursor, "--format", "csv")
    assert [each.stdout.splitlines()[1].split(",")[0] for each in (first, second)] == ["o-2", "o-1"]
    filled("query", "orders", "--page-after", cursor, "--limit", "0", code=2)


def test_a_row_is_read_by_key_as_new_as_a_receipt(filled: Cli) -> None:
    token = filled.json("dispatch", "AddItem", "order_id=o-1", "name=jam", "cents=5")["token"]
    assert filled.json("query", "OrderRow", "o-1", "--after", token)["cents"] == 405
    assert "no row under the key 'o-9'" in filled("query", "OrderRow", "o-9", code=1).stderr
    filled("query", "OrderRow", "o-1", "--count", code=2)


def test_only_the_chosen_columns_are_shown_in_their_order(filled: Cli) -> None:
    shown = filled("query", "orders", "--fresh", "--columns", "cents, order_id", "--format", "csv")
    assert shown.stdout == "cents,order_id\n400,o-1\n100,o-2\n"
    assert filled.json("query", "OrderRow", "o-2", "--columns", "cents") == {"cents": 100}
    assert (
        "OrderRow has no field 'colour'; it has order_id"
        in filled("query", "orders", "--columns", "colour", code=2).stderr
    )


def test_rows_that_are_behind_the_log_are_shown_with_a_warning(filled: Cli) -> None:
    shown = filled("query", "OrderRow", "--format", "json")
    assert shown.stdout == "[]\n"
    assert "6 positions behind the log" in shown.stderr
    filled("query", "OrderRow", "--fresh")
    assert filled("query", "OrderRow").stderr == ""


def test_faulty_queries_are_refused(filled: Cli) -> None:
    assert "there are: OrderRow, Sold" in filled("query", "Nothing", code=1).stderr
    assert "has no field 'colour'" in filled("query", "OrderRow", "--where", "colour=red", code=1).stderr
    assert "cents" in filled("query", "OrderRow", "--where", "cents>much", code=1).stderr
    filled("query", "OrderRow", "--where", "cents", code=2)


def test_a_moment_that_is_none_is_refused_by_the_option_that_has_it(filled: Cli) -> None:
    refused = filled("diff", "OrderRow", "o-1", "--from", "position:1", "--to", "stream:2", code=2)
    assert "--to: expected an instant" in refused.stderr
