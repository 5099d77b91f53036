"""The read models: a row for each customer, for each month, and for each cell of the table of cohorts."""

from datetime import date
from typing import assert_never

from eventfold import Recorded, Struct, projection, replace
from examples.cdnow.customer import CustomerEvent, Purchased, Tier, TierChanged
from examples.cdnow.months import month_before, month_of
from examples.cdnow.profile import Band, band_of, profile_of


class CustomerRow(Struct, frozen=True):
    customer_id: str
    tier: Tier
    band: Band
    purchases: int
    cds: int
    cents: int
    first_purchase: date
    last_purchase: date
    profile: str  # the same in words, to be searched


class MonthlyRevenue(Struct, frozen=True):
    month: str  # "1997-01"
    orders: int = 0
    cds: int = 0
    cents: int = 0


class Cohort(Struct, frozen=True):
    """How many of those who bought for the first time in one month bought in another one."""

    cell: str  # "1997-01+03"
    cohort: str  # "1997-01", the month of the first purchase
    months_since: int
    customers: int = 0


@projection("customers")
def customers(row: CustomerRow | None, recorded: Recorded[CustomerEvent]) -> CustomerRow | None:
    match recorded.event:
        case Purchased(on, cds, cents):
            if row is None:
                return customer_row(recorded.stream_id, Tier.BASIC, 1, cds, cents, on, on)
            bought = row.purchases + 1, row.cds + cds, row.cents + cents
            return customer_row(row.customer_id, row.tier, *bought, row.first_purchase, on)
        case TierChanged(tier):
            if row is None:
                return None
            profile = profile_of(tier, row.purchases, row.cds, row.cents, row.first_purchase)
            return replace(row, tier=tier, profile=profile)
        case _:
            assert_never(recorded.event)


def customer_row(
    customer_id: str, tier: Tier, purchases: int, cds: int, cents: int, first_purchase: date, last_purchase: date
) -> CustomerRow:
    """The row with what follows from the rest of it."""
    profile = profile_of(tier, purchases, cds, cents, first_purchase)
    return CustomerRow(customer_id, tier, band_of(cents), purchases, cds, cents, first_purchase, last_purchase, profile)


def month_of_purchase(recorded: Recorded[Purchased]) -> str:
    return month_of(recorded.event.on)


@projection("monthly_revenue", key=month_of_purchase)
def monthly_revenue(row: MonthlyRevenue | None, recorded: Recorded[Purchased], month: str) -> MonthlyRevenue:
    row = row or MonthlyRevenue(month)
    bought = recorded.event
    return replace(row, orders=row.orders + 1, cds=row.cds + bought.cds, cents=row.cents + bought.cents)


def cell_of_purchase(recorded: Recorded[Purchased]) -> str | None:
    """The cell in which the customer is counted; none where he was counted already in this month."""
    since = recorded.event.active_month
    return None if since is None else cell(month_before(recorded.event.on, since), since)


def cell(cohort: str, months_since: int) -> str:
    """The key of a cell: the cells sort as the table reads."""
    return f"{cohort}+{months_since:02}"


@projection("cohorts", key=cell_of_purchase)
def cohorts(row: Cohort | None, _recorded: Recorded[Purchased], key: str) -> Cohort:
    cohort, _, since = key.partition("+")
    row = row or Cohort(key, cohort, int(since))
    return replace(row, customers=row.customers + 1)
