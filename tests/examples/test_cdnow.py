"""The story of CDNOW on real databases, with a part of the file."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from eventfold import Application
from examples.cdnow.app import cdnow
from examples.cdnow.checks import claims
from examples.cdnow.cohort_table import retained
from examples.cdnow.customer import Customer, Purchased, RecordPurchase
from examples.cdnow.demo import next_commands
from examples.cdnow.fresh import NotEmptyError, open_empty
from examples.cdnow.purchases import expected_cohorts, expected_customers, expected_months, read_purchases
from examples.cdnow.read_models import Cohort, CustomerRow, MonthlyRevenue
from examples.cdnow.replay import replay
from examples.cdnow.views import Retention, TierRevenue
from tests.docs.run_page import run_page
from tests.services.elasticsearch import Elasticsearch

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "examples/cdnow/README.md"
ROWS = 2_000
SOME = RecordPurchase("00001", date(1997, 1, 1), 1, 11_77)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with cdnow(url) as app:
        yield app


def test_the_read_models_equal_what_plain_python_makes_of_the_file(app: Application) -> None:
    purchases = read_purchases(ROWS)
    replay(app, purchases)
    app.catch_up()
    assert app.query(CustomerRow).all() == list(expected_customers(purchases))
    assert app.query(MonthlyRevenue).all() == list(expected_months(purchases))
    assert app.query(Cohort).all() == expected_cohorts(purchases)


def test_every_claim_holds_and_none_does_once_a_purchase_is_missing_from_the_log(app: Application) -> None:
    purchases = read_purchases(200)
    replay(app, purchases[1:])
    app.catch_up()
    assert [claim for claim, holds in claims(app, purchases[1:]) if not holds] == []
    assert [claim for claim, holds in claims(app, purchases) if holds] == []


def test_the_views_add_up_what_the_rows_say(app: Application) -> None:
    purchases = read_purchases(500)
    replay(app, purchases)
    app.catch_up()
    tiers = app.query(TierRevenue).all()
    assert sum(each.customers for each in tiers) == app.query(CustomerRow).count()
    assert sum(each.orders for each in tiers) == len(purchases)
    assert sum(each.cents for each in tiers) == sum(each.cents for each in purchases)
    shares = {(each.cohort, each.months_since): each.percent for each in app.query(Retention)}
    expected = {
        (each.cohort, since): pytest.approx(share, abs=0.0501)
        for each in retained(expected_cohorts(purchases))
        for since, share in enumerate(each.shares)
        if share
    }
    assert shares == expected


def test_rebuilt_rows_equal_the_live_ones(app: Application) -> None:
    replay(app, read_purchases(500))
    app.catch_up()
    live = app.query(CustomerRow).all(), app.query(MonthlyRevenue).all()
    assert app.rebuild("customers") == app.rebuild("monthly_revenue") + tier_changes(app)
    assert (app.query(CustomerRow).all(), app.query(MonthlyRevenue).all()) == live


def test_a_purchase_occurred_at_midnight_of_its_date(app: Application) -> None:
    app.dispatch(SOME)
    recorded = next(app.store.read_stream("customer-00001"))
    assert recorded.event == Purchased(date(1997, 1, 1), 1, 11_77, active_month=0)
    assert recorded.occurred_at == datetime(1997, 1, 1, tzinfo=UTC)


def test_a_customer_is_seen_as_of_a_date_long_before_the_log_was_written(app: Application) -> None:
    for month, cents in ((1, 60_00), (6, 60_00), (12, 10_00)):
        app.dispatch(RecordPurchase("c-1", date(1997, month, 5), 1, cents))
    in_may = app.load(Customer, "c-1", occurred=datetime(1997, 5, 1, tzinfo=UTC))
    in_june = app.load(Customer, "c-1", occurred=datetime(1997, 6, 30, tzinfo=UTC))
    assert (in_may.cents, in_may.tier, in_june.cents, in_june.tier) == (60_00, "basic", 120_00, "silver")


def test_one_failure_stops_the_whole_replay(sqlite_url: str) -> None:
    purchases = [RecordPurchase("c-1", date(1997, 2, 1), 1, 100), RecordPurchase("c-1", date(1997, 1, 1), 1, 100)]
    with cdnow(sqlite_url) as app, pytest.raises(Exception, match="cannot follow"):
        replay(app, purchases)


def test_a_file_of_the_users_own_is_left_alone(sqlite_url: str) -> None:
    with cdnow(sqlite_url) as app:
        app.dispatch(SOME)
    with pytest.raises(NotEmptyError, match=r"holds 1 events already.*--database sqlite:///another.db"):
        open_empty(sqlite_url)
    with cdnow(sqlite_url) as app:
        assert app.store.head() == 1


def test_the_demos_own_schema_is_made_anew_and_nothing_else_is_touched(postgres_url: str) -> None:
    for expected in ("new", "schema eventfold_cdnow made anew, in place of an earlier demo's"):
        app, how = open_empty(postgres_url)
        with app:
            assert (how, app.store.head()) == (expected, 0)
            app.dispatch(SOME)
            app.catch_up()


def test_the_demo_tells_its_whole_story_and_what_it_says_to_type_next_works(tmp_path: Path) -> None:
    first = demo(tmp_path, "--rows", str(ROWS))
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("✓") == 5
    assert "without Elasticsearch, so customers are not searched" in first.stdout
    assert f"{ROWS:,} commands validated, decided and durably appended" in first.stdout
    advice = re.findall(r"^  \S*eventfold (.+)$", first.stdout, re.MULTILINE)
    assert len(advice) == len(next_commands("", searched=False))
    for line in advice:
        result = eventfold(tmp_path, line)
        assert result.returncode == 0, line + result.stdout + result.stderr


def test_the_commands_of_its_page_print_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTFOLD_APP", "examples.cdnow.app:app")
    run_page(PAGE, monkeypatch)


def test_its_page_names_every_file_and_leads_to_what_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = {each.name for each in PAGE.parent.glob("*.py")} - {"__init__.py", "test_cdnow.py"}
    assert [each for each in sorted(files) if f"`{each}`" not in page] == []
    for target in re.findall(r"\]\((?!https://)([^)#]+)\)", page):
        assert (PAGE.parent / target).exists()


def test_the_demo_begins_afresh_in_its_own_file(tmp_path: Path) -> None:
    assert "SQLite cdnow.db: new" in demo(tmp_path, "--rows", "50").stdout
    assert "SQLite cdnow.db: made anew, in place of an earlier demo's" in demo(tmp_path, "--rows", "50").stdout


def test_the_demo_runs_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    result = demo(tmp_path, "--rows", "500", "--database", postgres_url)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("✓") == 5


def test_the_demo_searches_the_customers_and_removes_only_its_own_indices(
    tmp_path: Path, elasticsearch_server: Elasticsearch, elasticsearch_name: str
) -> None:
    elasticsearch_server.ask(f"/{elasticsearch_name}", "PUT")
    for _ in range(2):
        result = demo(tmp_path, "--rows", "500", "--elasticsearch", elasticsearch_server.url)
        assert result.returncode == 0, result.stdout + result.stderr
        assert re.search(r"✓ \d+ customers can be searched", result.stdout)
        own = elasticsearch_server.indices("eventfold-cdnow-customers__*")
        assert [each.partition("__g")[2].partition("-")[0] for each in own] == ["1", "2"]  # rebuilt once, each time
    assert f"export ELASTICSEARCH_URL='{elasticsearch_server.url}'" in result.stdout
    [line] = re.findall(r"^  \S*eventfold (search .+)$", result.stdout, re.MULTILINE)
    found = eventfold(tmp_path, line, ELASTICSEARCH_URL=elasticsearch_server.url)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "platinum customer since" in found.stdout
    assert elasticsearch_server.indices(elasticsearch_name) == [elasticsearch_name]
    for index in own:
        elasticsearch_server.ask(f"/{index}", "DELETE")


def test_the_demo_says_in_one_sentence_that_elasticsearch_does_not_answer(tmp_path: Path) -> None:
    result = demo(tmp_path, "--rows", "50", "--elasticsearch", "http://127.0.0.1:1")
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("error: Elasticsearch at http://127.0.0.1:1 does not answer")
    assert not (tmp_path / "cdnow.db").exists()


def test_the_dashboard_shows_what_the_demo_made_and_draws_the_cohorts(tmp_path: Path) -> None:
    demo(tmp_path, "--rows", "500")
    shown = start(tmp_path, sys.executable, "-m", "examples.cdnow.dashboard", "--plot", "cohorts.svg")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    headings = ("revenue by month", "customers by tier", "customers by band", "cohorts: % that bought again")
    assert [each for each in headings if each not in shown.stdout] == []
    assert "months since the month of the first purchase" in (tmp_path / "cohorts.svg").read_text(encoding="utf-8")


def test_the_dashboard_of_an_empty_log_says_what_to_run(tmp_path: Path) -> None:
    shown = start(tmp_path, sys.executable, "-m", "examples.cdnow.dashboard")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert shown.stdout == "error: SQLite cdnow.db has no purchases yet: run `make demo` first\n"


def test_the_demo_says_in_one_sentence_what_is_wrong_with_a_database(tmp_path: Path) -> None:
    result = demo(tmp_path, "--rows", "50", "--database", "nowhere://")
    assert (result.returncode, result.stdout.count("\n"), result.stderr) == (1, 1, "")
    assert "error: nowhere://: no backend of that name" in result.stdout


def test_the_demo_is_interrupted_with_a_message_and_begins_afresh_afterwards(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "examples.cdnow.demo", "--elasticsearch", "none"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        killer = threading.Timer(120, process.kill)
        killer.start()
        process.stdout.readline()  # the log is open, and dispatching begins
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        killer.cancel()
    assert "Interrupted. What was dispatched is stored. Run it again: it starts afresh." in output
    assert process.returncode == 130
    assert "made anew" in demo(tmp_path, "--rows", "50").stdout


def demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return start(folder, sys.executable, "-m", "examples.cdnow.demo", "--elasticsearch", "none", *arguments)


def eventfold(folder: Path, line: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-c", "from eventfold.cli import main; main()"]
    return start(folder, *program, *shlex.split(line), "--app", "examples.cdnow.app:app", **variables)


def start(folder: Path, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    env = environment() | variables
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def environment() -> dict[str, str]:
    own = {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    others = {key: value for key, value in os.environ.items() if not key.startswith(("EVENTFOLD_", "ELASTICSEARCH_"))}
    return others | own


def tier_changes(app: Application) -> int:
    return sum(1 for _ in app.store.read_log(types=["TierChanged"]))
