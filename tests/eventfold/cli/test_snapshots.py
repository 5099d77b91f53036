import json
import signal
from typing import Any

import pytest
from sqlalchemy import text

from eventfold import SnapshotPolicy
from tests.eventfold.cli import shop
from tests.eventfold.cli.conftest import Cli


def execute(cli: Cli, statement: str) -> None:
    shop.app.parts.use_database(cli.database)
    assert shop.app.store.backend.sql is not None
    with shop.app.store.backend.sql.transaction() as connection:
        connection.execute(text(statement))
    shop.app.close()


def status(cli: Cli) -> dict[str, Any]:
    [row] = cli.json("snapshots", "status")
    return {key: row[key] for key in ("streams", "snapshots", "outdated", "ahead")}


def test_they_are_built_where_events_have_come_since_the_last_one(filled: Cli) -> None:
    assert status(filled) == {"streams": 0, "snapshots": 0, "outdated": 0, "ahead": 0}
    built = {"aggregate": "Order", "streams": 2, "failed": 0}
    assert filled.json("snapshots", "build") == [built | {"written": 2}]
    assert filled.json("snapshots", "build", "order") == [built | {"written": 0}]
    filled("dispatch", "AddItem", "order_id=o-2", "name=salt")
    assert filled.json("snapshots", "build") == [built | {"written": 1}]
    assert status(filled) == {"streams": 2, "snapshots": 2, "outdated": 0, "ahead": 0}


def test_one_of_one_stream_can_be_asked_for(filled: Cli) -> None:
    assert filled.json("snapshots", "build", "Order", "o-1")[0]["written"] == 1
    assert status(filled)["streams"] == 1
    assert "'order-o-9' has no events" in filled("snapshots", "build", "Order", "o-9", code=1).stderr


def test_status_says_when_they_are_written(filled: Cli) -> None:
    [row] = filled.json("snapshots", "status")
    assert (row["aggregate"], row["policy"], row["newest"]) == ("Order", "on demand", None)
    assert "on demand" in filled("snapshots", "status").stdout


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_every_format_shows_what_differs(filled: Cli, form: str) -> None:
    filled("snapshots", "build")
    execute(filled, """UPDATE eventfold_snapshots SET state = replace(state, '"Bath"', '"Rome"')""")

    result = filled("snapshots", "verify", "--format", form, code=1)

    if form == "json":
        assert json.loads(result.stdout) == [
            {
                "stream": "order-o-1",
                "version": 4,
                "field": "address.city",
                "change": "changed",
                "before": "Rome",
                "after": "Bath",
            }
        ]
    for word in ("order-o-1", "address.city", "Rome", "Bath"):
        assert word in result.stdout
    assert "1 of 2 snapshots differ" in result.stderr
    assert "raise `version=` of Order" in result.stderr


def test_when_none_differs_then_it_says_how_many_were_looked_at(filled: Cli) -> None:
    filled("snapshots", "build")
    assert "2 snapshots verified: none differs" in filled("snapshots", "verify").stderr
    assert "1 snapshot verified: none differs" in filled("snapshots", "verify", "Order", "o-1").stderr
    assert filled("snapshots", "verify", "--format", "json").stdout == "[]\n"


def test_those_that_no_load_uses_are_deleted_and_all_when_asked_to(filled: Cli) -> None:
    filled("snapshots", "build")
    filled("dispatch", "AddItem", "order_id=o-2", "name=salt")
    execute(filled, "UPDATE eventfold_snapshots SET version = 99 WHERE stream = 'order-o-2'")
    execute(filled, "UPDATE eventfold_snapshots SET fingerprint = 'old' WHERE stream = 'order-o-1'")
    assert status(filled) == {"streams": 0, "snapshots": 0, "outdated": 1, "ahead": 1}

    assert filled.json("snapshots", "prune") == [{"aggregate": "Order", "deleted": 2}]

    assert status(filled) == {"streams": 0, "snapshots": 0, "outdated": 0, "ahead": 0}
    filled("snapshots", "build")
    assert "nothing to delete" in filled("snapshots", "prune").stderr
    assert filled.json("snapshots", "prune", "--all") == [{"aggregate": "Order", "deleted": 2}]


def test_a_stream_that_cannot_be_folded_is_named_and_the_others_are_built(filled: Cli) -> None:
    execute(
        filled,
        "INSERT INTO eventfold_events (position, stream, version, recorded_at, type, schema_version, event_id, payload) "
        "VALUES (99, 'order-o-0', 1, 9999999999999999, 'Vanished', 1, '00000000-0000-7000-8000-000000000000', '{}')",
    )
    result = filled("snapshots", "build", "--format", "json", code=1)
    assert json.loads(result.stdout) == [{"aggregate": "Order", "streams": 3, "written": 2, "failed": 1}]
    assert "order-o-0: " in result.stderr
    assert "'Vanished'" in result.stderr


def test_a_signal_ends_building_and_the_next_run_goes_on(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from eventstore.snapshots import Snapshots

    take = Snapshots.take

    def take_and_interrupt(*args: Any) -> Any:
        taken = take(*args)
        signal.raise_signal(signal.SIGTERM)
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(Snapshots, "take", take_and_interrupt)
        result = filled("snapshots", "build", code=1)
    assert "interrupted after 0 of 2 streams" in result.stderr
    assert filled.json("snapshots", "build")[0]["written"] == 1


def test_an_aggregate_that_the_application_does_not_have_is_named(filled: Cli) -> None:
    assert "no aggregate is called 'Cart'" in filled("snapshots", "build", "Cart", code=1).stderr


def test_of_a_stream_without_events_there_is_nothing_to_verify(filled: Cli) -> None:
    assert "'order-o-9' has no events" in filled("snapshots", "verify", "Order", "o-9", code=1).stderr


def test_a_list_of_what_differs_ends_at_a_limit_and_says_what_was_passed_over(filled: Cli) -> None:
    filled("snapshots", "build")
    execute(filled, """UPDATE eventfold_snapshots SET state = replace(state, '"Ada"', '"Eve"')""")
    execute(filled, """UPDATE eventfold_snapshots SET state = replace(state, '"Bath"', '"Rome"')""")
    execute(filled, "UPDATE eventfold_snapshots SET fingerprint = 'old' WHERE stream = 'order-o-2'")

    result = filled("snapshots", "verify", "--limit", "1", "--format", "json", code=1)

    assert len(json.loads(result.stdout)) == 1
    assert "there are 1 more differences: see all with --limit 0" in result.stderr
    assert "1 snapshot passed over: outdated, or ahead of the log" in result.stderr


def test_they_are_built_as_the_policy_says_and_of_all_streams_when_asked_to(
    filled: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstore.snapshot_keeping.policy_of", lambda _: SnapshotPolicy(every=3))

    assert filled.json("snapshots", "build") == [{"aggregate": "Order", "streams": 2, "written": 1, "failed": 0}]
    filled("dispatch", "AddItem", "order_id=o-1", "name=salt")
    assert filled.json("snapshots", "build")[0]["written"] == 0
    assert filled.json("snapshots", "build", "--all")[0]["written"] == 2
