"""Retention: of those who bought for the first time in one month, how many buy again so many months later."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from examples.cdnow.read_models import Cohort

COLD, WARM = (236, 242, 250), (8, 81, 156)
"""The colours of nobody and of the largest share, as red, green and blue."""


class Retained(NamedTuple):
    """One cohort.

    Attributes:
        cohort: its month.
        size: how many customers it has.
        shares: by months since, beginning with 0, how many of them bought, in percent.
    """

    cohort: str
    size: int
    shares: list[float]


def retention(cells: Iterable[Cohort]) -> list[Retained]:
    """The cohorts in their order. A month in which nobody bought has the share 0."""
    counted: dict[str, dict[int, int]] = defaultdict(dict)
    for each in cells:
        counted[each.cohort][each.months_since] = each.customers
    found = []
    for cohort, by_month in sorted(counted.items()):
        size = by_month[0]
        shares = [100 * by_month.get(since, 0) / size for since in range(max(by_month) + 1)]
        found.append(Retained(cohort, size, shares))
    return found


def largest_share(cohorts: Iterable[Retained]) -> float:
    """The largest share after the first month, which is 100 by its nature."""
    return max((share for each in cohorts for share in each.shares[1:]), default=0) or 100


def retention_table(cells: Iterable[Cohort]) -> Table:
    """A row for each cohort, a column for each month since, the shares on a ground the darker the larger they are."""
    cohorts = retention(cells)
    last = max((len(each.shares) for each in cohorts), default=1)
    table = Table(
        title="cohorts: % that bought again, by months since the first purchase",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=0,
        pad_edge=False,
    )
    table.add_column("cohort ")
    table.add_column("customers ", justify="right")
    for since in range(1, last):
        table.add_column(str(since), justify="right", min_width=3)
    largest = largest_share(cohorts)
    for each in cohorts:
        table.add_row(each.cohort, f"{each.size:,} ", *(_cell(share, largest) for share in each.shares[1:]))
    return table


def _cell(share: float, largest: float) -> Text:
    warmth = share / largest
    ground = ",".join(str(round(cold + (warm - cold) * warmth)) for cold, warm in zip(COLD, WARM, strict=True))
    return Text(f"{share:.0f}".rjust(3), style=f"{'white' if warmth > 0.5 else 'black'} on rgb({ground})")
