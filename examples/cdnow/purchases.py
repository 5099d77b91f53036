"""Reads the file of purchases, and adds it up in plain Python to hold the read models against."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

from examples.cdnow.customer import RecordPurchase, earned_tier
from examples.cdnow.profile import band_of, profile_of
from examples.cdnow.read_models import Cohort, CustomerRow, MonthlyRevenue

FILE = Path(__file__).with_name("purchases.csv.gz")
ROWS = 69_659


def read_purchases(limit: int | None = None) -> list[RecordPurchase]:
    """The purchases in the order in which they happened: by date, and by the file's order within a day.

    Args:
        limit: only the first so many rows of the file, which is sorted by customer.
    """
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        purchases = [_purchase(row) for row in islice(csv.DictReader(file), limit)]
    return sorted(purchases, key=lambda each: each.on)


def cents_of(dollars: str) -> int:
    """`"11.77"` as 1177, digit by digit: a float would not hold it exactly.

    Raises:
        ValueError: it is not an amount with two decimals.
    """
    whole, _, hundredths = dollars.partition(".")
    if not (whole.isdigit() and hundredths.isdigit() and len(hundredths) == 2):
        raise ValueError(f"dollars: expected an amount such as 11.77, got {dollars!r}")
    return int(whole) * 100 + int(hundredths)


def _purchase(row: dict[str, str]) -> RecordPurchase:
    return RecordPurchase(
        row["customer_id"], date.fromisoformat(row["date"]), int(row["cds"]), cents_of(row["dollars"])
    )


def expected_customers(purchases: Iterable[RecordPurchase]) -> Iterator[CustomerRow]:
    """What `customers` must hold, by customer, computed without the framework."""
    by_customer = defaultdict(list)
    for each in purchases:
        by_customer[each.customer_id].append(each)
    for customer_id, own in sorted(by_customer.items()):
        cents = sum(each.cents for each in own)
        cds = sum(each.cds for each in own)
        first, last = min(each.on for each in own), max(each.on for each in own)
        tier = earned_tier(cents)
        profile = profile_of(tier, len(own), cds, cents, first)
        yield CustomerRow(customer_id, tier, band_of(cents), len(own), cds, cents, first, last, profile)


def expected_months(purchases: Iterable[RecordPurchase]) -> Iterator[MonthlyRevenue]:
    """What `monthly_revenue` must hold, by month, computed without the framework."""
    by_month = defaultdict(list)
    for each in purchases:
        by_month[f"{each.on:%Y-%m}"].append(each)
    for month, own in sorted(by_month.items()):
        yield MonthlyRevenue(month, len(own), sum(each.cds for each in own), sum(each.cents for each in own))


def expected_cohorts(purchases: Iterable[RecordPurchase]) -> list[Cohort]:
    """What `cohorts` must hold, computed without the framework: a customer counts once in each month with a purchase."""
    months = defaultdict(set)
    for each in purchases:
        months[each.customer_id].add(each.on.year * 12 + each.on.month - 1)
    counted = Counter((min(own), month - min(own)) for own in months.values() for month in own)
    cohorts = []
    for (first, since), customers in sorted(counted.items()):
        cohort = f"{first // 12}-{first % 12 + 1:02}"
        cohorts.append(Cohort(f"{cohort}+{since:02}", cohort, since, customers))
    return cohorts
