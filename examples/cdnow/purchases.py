"""Reads the file of purchases, and adds it up in plain Python to hold the read models against."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

from examples.cdnow.customer import RecordPurchase, earned_tier
from examples.cdnow.read_models import CustomerRow, MonthlyRevenue

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
        days = [each.on for each in own]
        cds = sum(each.cds for each in own)
        yield CustomerRow(customer_id, earned_tier(cents), len(own), cds, cents, min(days), max(days))


def expected_months(purchases: Iterable[RecordPurchase]) -> Iterator[MonthlyRevenue]:
    """What `monthly_revenue` must hold, by month, computed without the framework."""
    by_month = defaultdict(list)
    for each in purchases:
        by_month[f"{each.on:%Y-%m}"].append(each)
    for month, own in sorted(by_month.items()):
        yield MonthlyRevenue(month, len(own), sum(each.cds for each in own), sum(each.cents for each in own))
