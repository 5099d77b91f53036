"""The read models at a glance: revenue by month, tiers, bands of spending, and who came back.

    python -m examples.cdnow.dashboard
    python -m examples.cdnow.dashboard --plot cohorts.svg

It shows what the demo has stored, in the database that EVENTFOLD_DATABASE names, else in `cdnow.db`.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from eventfold import Application, EventfoldError, count_of, sum_of
from examples.cdnow.app import cdnow, database_url
from examples.cdnow.cohort_plot import NoPlotError, plot_cohorts
from examples.cdnow.cohort_table import retention_table
from examples.cdnow.customer import Tier
from examples.cdnow.profile import Band, dollars
from examples.cdnow.read_models import Cohort, CustomerRow, MonthlyRevenue

BAR = 30
"""Characters of the longest bar."""
FAILED = 1


class NothingToShowError(Exception):
    """The log is empty."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Shows the dashboard, or draws the plot; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.cdnow.dashboard", description="Shows what the demo made.")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the cohorts there: .svg, .png or .pdf")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        with cdnow(database_url()) as app:
            show_dashboard(console, app)
            if options.plot is not None:
                plot_cohorts(app.query(Cohort).all(), options.plot)
                console.print(f"\nThe cohorts are drawn in {options.plot}.", markup=False)
    except (EventfoldError, NothingToShowError, NoPlotError) as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        return FAILED
    return 0


def show_dashboard(console: Console, app: Application) -> None:
    """All of it, in 80 columns.

    Raises:
        NothingToShowError: the log is empty.
    """
    if not app.store.head():
        raise NothingToShowError(f"{app.store.backend.description} has no purchases yet: run `make demo` first")
    app.catch_up()
    console.print(revenue(app.query(MonthlyRevenue).all()), "")
    console.print(spending(app, "tier", list(reversed(Tier))), "")
    console.print(spending(app, "band", list(reversed(Band))), "")
    console.print(retention_table(app.query(Cohort).all()))


def revenue(months: Sequence[MonthlyRevenue]) -> Table:
    """A bar for each month."""
    rows = [(each.month, f"{each.orders:,}", each.cents) for each in months]
    return _bars("revenue by month", ("month", "orders", "revenue"), rows)


def spending(app: Application, field: str, values: Iterable[StrEnum]) -> Table:
    """A bar for each tier, or band: what its customers have spent."""
    grouped = app.query(CustomerRow).group_by(field).aggregate(customers=count_of(), cents=sum_of("cents"))
    found = {each[field]: each for each in grouped}
    rows = [(str(each), f"{found[each]['customers']:,}", found[each]["cents"]) for each in values if each in found]
    return _bars(f"customers by {field}", (field, "customers", "spent"), rows)


def _bars(title: str, columns: tuple[str, str, str], rows: Sequence[tuple[str, str, int]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(columns[0], min_width=12)
    for each in columns[1:]:
        table.add_column(each, justify="right", min_width=13)
    table.add_column()
    longest = max((cents for *_, cents in rows), default=0) or 1
    for name, count, cents in rows:
        table.add_row(name, count, dollars(cents), Bar(longest, 0, cents, width=BAR, color="blue"))
    return table


if __name__ == "__main__":
    sys.exit(main())
