"""Holds the read models against what plain Python makes of the file."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from eventfold import Application
from eventstore.token import token_of
from examples.cdnow.customer import RecordPurchase
from examples.cdnow.figures import THREE_DAYS, revenue_as_of
from examples.cdnow.purchases import expected_cohorts, expected_customers, expected_months
from examples.cdnow.read_models import Cohort, CustomerRow, MonthlyRevenue


class MismatchError(Exception):
    """Two figures that must be equal are not."""


def check(console: Console, claim: str, holds: bool) -> None:  # noqa: FBT001 - a claim and whether it holds
    """Prints the claim.

    Raises:
        MismatchError: it does not hold.
    """
    if not holds:
        raise MismatchError(f"this should be so, and is not: {claim}")
    console.print(f"[green]✓[/green] {claim}")


def compare_with_file(console: Console, app: Application, purchases: Sequence[RecordPurchase]) -> None:
    """Checks all of `claims`.

    Raises:
        MismatchError: one does not hold.
    """
    for claim, holds in claims(app, purchases):
        check(console, claim, holds)


def claims(app: Application, purchases: Sequence[RecordPurchase]) -> Iterator[tuple[str, bool]]:
    """What is claimed, and whether it holds."""
    customers, months = list(expected_customers(purchases)), list(expected_months(purchases))
    yield "each customer's row equals the file's own sums", app.query(CustomerRow).all() == customers
    yield "each month's row equals the file's own sums", app.query(MonthlyRevenue).all() == months
    by_day = {day: [each for each in purchases if each.on <= day] for day in THREE_DAYS}
    as_of = all(revenue_as_of(app, day) == list(expected_months(until)) for day, until in by_day.items())
    yield "the months as of three days equal the file's sums up to those days", as_of
    yield "each cell of the cohorts equals the file's own count", app.query(Cohort).all() == expected_cohorts(purchases)


def index_claim(app: Application) -> tuple[str, bool]:
    """That every customer can be found: each profile has the word."""
    found = app.query(CustomerRow).search("customer").count(after=token_of(app.store.head()))
    return f"{found:,} customers can be searched", found == app.query(CustomerRow).count()
