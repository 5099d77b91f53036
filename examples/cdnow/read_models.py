"""The read models: `customers`, a row for each customer, and `monthly_revenue`, a row for each month."""

from datetime import date
from typing import assert_never

from eventfold import Recorded, Struct, projection, replace
from examples.cdnow.customer import CustomerEvent, Purchased, Tier, TierChanged


class CustomerRow(Struct, frozen=True):
    customer_id: str
    tier: Tier
    purchases: int
    cds: int
    cents: int
    first_purchase: date
    last_purchase: date


class MonthlyRevenue(Struct, frozen=True):
    month: str  # "1997-01"
    orders: int = 0
    cds: int = 0
    cents: int = 0


@projection("customers")
def customers(row: CustomerRow | None, recorded: Recorded[CustomerEvent]) -> CustomerRow | None:
    match recorded.event:
        case Purchased(on, cds, cents):
            if row is None:
                return CustomerRow(recorded.stream_id, Tier.BASIC, 1, cds, cents, on, on)
            return replace(
                row, purchases=row.purchases + 1, cds=row.cds + cds, cents=row.cents + cents, last_purchase=on
            )
        case TierChanged(tier):
            return None if row is None else replace(row, tier=tier)
        case _:
            assert_never(recorded.event)


def month_of(recorded: Recorded[Purchased]) -> str:
    return recorded.event.on.isoformat()[:7]


@projection("monthly_revenue", key=month_of)
def monthly_revenue(row: MonthlyRevenue | None, recorded: Recorded[Purchased]) -> MonthlyRevenue:
    row = row or MonthlyRevenue(month_of(recorded))
    bought = recorded.event
    return replace(row, orders=row.orders + 1, cds=row.cds + bought.cds, cents=row.cents + bought.cents)
