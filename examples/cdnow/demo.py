"""The main job on real data: every purchase becomes a command, an event, and part of three read models.

    python -m examples.cdnow.demo
    python -m examples.cdnow.demo --database postgresql://user@host/database
    python -m examples.cdnow.demo --database sqlite:///another.db --rows 2000
    python -m examples.cdnow.demo --elasticsearch http://127.0.0.1:9200

It begins from an empty log each time: see `fresh.py` for what it removes and what it leaves alone.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from eventfold import Application, EventfoldError
from examples.cdnow.app import DEFAULT_DATABASE, database_url, search_url
from examples.cdnow.checks import MismatchError, check, compare_with_file, index_claim
from examples.cdnow.cohort_table import retention_table
from examples.cdnow.customer import RecordPurchase
from examples.cdnow.figures import show_customers, show_months, show_revenue_as_of, show_three_moments
from examples.cdnow.fresh import NotEmptyError, SearchAwayError, open_empty
from examples.cdnow.purchases import read_purchases
from examples.cdnow.read_models import Cohort, CustomerRow, MonthlyRevenue
from examples.cdnow.replay import replay
from examples.cdnow.search_server import SearchServer, search_server
from examples.cdnow.searches import SEARCHES, show_searches
from tests.services.elasticsearch import ElasticsearchUnavailableError

FAILED, INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.cdnow.demo", description="Replays 69,659 real purchases.")
    parser.add_argument("--database", metavar="URL", help=f"by default EVENTFOLD_DATABASE, else {DEFAULT_DATABASE}")
    parser.add_argument("--rows", type=int, metavar="N", help="only the first N rows of the file")
    parser.add_argument("--elasticsearch", metavar="URL", help="or `start`, or `none`; by default ELASTICSEARCH_URL")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        with search_server(console, options.elasticsearch or search_url()) as search:
            run(console, options.database or database_url(), search, options.rows)
    except KeyboardInterrupt:
        console.print("\n[yellow]Interrupted.[/yellow] What was dispatched is stored. Run it again: it starts afresh.")
        return INTERRUPTED
    except (EventfoldError, NotEmptyError, SearchAwayError, MismatchError, ElasticsearchUnavailableError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return FAILED
    return 0


def run(console: Console, database: str, search: SearchServer, rows: int | None = None) -> None:
    """The whole story, in the order of the data.

    Raises:
        NotEmptyError: the database is not the demo's own, and holds events.
        SearchAwayError: the Elasticsearch does not answer.
        MismatchError: a read model is not what it must be.
    """
    purchases = read_purchases(rows)
    app, how = open_empty(database, search.url)
    with app:
        console.print(f"[bold]{app.store.backend.description}[/bold]: {how}")
        console.print(search.said, markup=False)
        dispatch_all(console, app, purchases)
        follow(console, app)
        customer_id, _ = Counter(each.customer_id for each in purchases).most_common(1)[0]
        show(console, app, customer_id)
        if search.url is not None:
            show_searches(console, app)
            check(console, *index_claim(app))
        rebuild_and_compare(console, app)
        compare_with_file(console, app, purchases)
    say_what_next(console, database, search, customer_id)


def show(console: Console, app: Application, customer_id: str) -> None:
    show_months(console, app.query(MonthlyRevenue).all())
    show_revenue_as_of(console, app)
    console.print(retention_table(app.query(Cohort).all()))
    show_customers(console, app)
    show_three_moments(console, app, customer_id)


def dispatch_all(console: Console, app: Application, purchases: Sequence[RecordPurchase]) -> None:
    started = time.perf_counter()
    with bar(console, "dispatch the purchases", len(purchases)) as (progress, task):
        replay(app, purchases, on_dispatched=lambda count: progress.advance(task, count))
    seconds = time.perf_counter() - started
    console.print(
        f"{len(purchases):,} commands validated, decided and durably appended in {seconds:.1f} s: "
        f"{len(purchases) / seconds:,.0f} a second, {app.store.head():,} events"
    )


def follow(console: Console, app: Application) -> None:
    started = time.perf_counter()
    with bar(console, "bring the read models up to date", app.store.head()) as (progress, task):
        app.catch_up(lambda position, _head: progress.update(task, completed=position))
    console.print(f"three read models up to date in {time.perf_counter() - started:.1f} s")


def rebuild_and_compare(console: Console, app: Application) -> None:
    live = app.query(CustomerRow).all()
    started = time.perf_counter()
    with bar(console, "rebuild customers beside the live rows", app.store.head()) as (progress, task):
        events = app.rebuild("customers", lambda at: progress.update(task, completed=at.position))
    console.print(f"{events:,} events folded anew in {time.perf_counter() - started:.1f} s")
    check(console, f"the {len(live):,} rebuilt rows equal the live ones", app.query(CustomerRow).all() == live)


def say_what_next(console: Console, database: str, search: SearchServer, customer_id: str) -> None:
    program = Path(sys.executable).with_name("eventfold")
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    searched = search.url is not None and search.stays
    console.print("\n[bold]What to type next[/bold]")
    if database != DEFAULT_DATABASE:
        console.print(f"  export EVENTFOLD_DATABASE='{without_password(database)}'", markup=False, soft_wrap=True)
    if search.url is not None and searched:
        console.print(f"  export ELASTICSEARCH_URL='{without_password(search.url)}'", markup=False, soft_wrap=True)
    for line in next_commands(customer_id, searched=searched):
        console.print(f"  {shown} {line}", markup=False, soft_wrap=True)


def without_password(url: str) -> str:
    """It stays out of logs."""
    return make_url(url).render_as_string(hide_password=True)


def next_commands(customer_id: str, *, searched: bool) -> list[str]:
    """Arguments of the command line that work on what the demo has made."""
    return [
        "status",
        "query MonthlyRevenue",
        "query MonthlyRevenue --occurred 1997-02-14",
        "query Cohort --where cohort=1997-01",
        "query CustomerRow --order -cents --limit 10 --columns tier,profile",
        *[each.command for each in SEARCHES[:1] if searched],
        f"streams show customer-{customer_id}",
        f"state Customer {customer_id} --occurred 1997-12-31",
        f"state Customer {customer_id} --diff occurred:1997-06-30..1997-12-31",
        f"diff CustomerRow {customer_id} --from occurred:1997-06-30 --to occurred:1997-12-31",
        f"history Customer {customer_id} --backwards --limit 5",
        f"bisect Customer {customer_id} 'state.cents > 10000'",
        f"blame Customer {customer_id}",
        f"dispatch RecordPurchase customer_id={customer_id} on=1998-07-01 cds=2 cents=2599",
        f"query CustomerRow {customer_id} --fresh",
        "projections verify customers --sample 100",
        "projections rebuild monthly_revenue",
    ]


@contextmanager
def bar(console: Console, title: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    """A progress bar with a count and the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task(title, total=total)


if __name__ == "__main__":
    sys.exit(main())
