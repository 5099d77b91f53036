"""A customer: purchases, what they add up to, and the loyalty tier that they earn. Money is cents."""

from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, assert_never

from eventfold import Aggregate, Command, Event, Meta, NewEvent, Rejected, handles, replace
from examples.cdnow.months import months_between


class Tier(StrEnum):
    """From the lowest to the highest."""

    BASIC = "basic"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


THRESHOLDS = {Tier.PLATINUM: 1_000_00, Tier.GOLD: 250_00, Tier.SILVER: 100_00, Tier.BASIC: 0}
"""The cents from which a tier is earned, the highest first."""


# -- events ------------------------------------------------------------------------------------------------------------


class Purchased(Event):
    """A purchase.

    Attributes:
        on: the day.
        cds: how many.
        cents: for how much.
        active_month: of the customer's first purchase in a month, how many months after that of the very first one it is; None of
            every further purchase in the same month. So a projection counts customers by months, and need know none of them.
    """

    on: date
    cds: int
    cents: int
    active_month: int | None = None


class TierChanged(Event):
    tier: Tier


CustomerEvent = Purchased | TierChanged


# -- the aggregate -----------------------------------------------------------------------------------------------------


class Customer(Aggregate[CustomerEvent]):
    purchases: int = 0
    cds: int = 0
    cents: int = 0
    first_purchase: date | None = None
    last_purchase: date | None = None
    tier: Tier = Tier.BASIC

    def evolve(self, event: CustomerEvent) -> "Customer":
        match event:
            case Purchased(on, cds, cents):
                return replace(
                    self,
                    purchases=self.purchases + 1,
                    cds=self.cds + cds,
                    cents=self.cents + cents,
                    first_purchase=self.first_purchase or on,
                    last_purchase=on,
                )
            case TierChanged(tier):
                return replace(self, tier=tier)
            case _:
                assert_never(event)


# -- commands ----------------------------------------------------------------------------------------------------------


class RecordPurchase(Command):
    customer_id: str
    on: date
    cds: Annotated[int, Meta(gt=0)]
    cents: Annotated[int, Meta(ge=0)]


class GrantTier(Command):
    """A tier as a courtesy, whatever was spent."""

    customer_id: str
    tier: Tier
    on: date


# -- decisions ---------------------------------------------------------------------------------------------------------


@handles
def record_purchase(customer: Customer, command: RecordPurchase) -> list[NewEvent[CustomerEvent]]:
    """A purchase, and the tier that it earns. A tier once reached is never lost."""
    if customer.last_purchase is not None and command.on < customer.last_purchase:
        raise Rejected(f"a purchase on {command.on} cannot follow the one on {customer.last_purchase}")
    month = active_month(customer, command.on)
    events: list[CustomerEvent] = [Purchased(command.on, command.cds, command.cents, month)]
    earned = earned_tier(customer.cents + command.cents)
    if is_higher(earned, customer.tier):
        events.append(TierChanged(earned))
    return [occurred_on(command.on, each) for each in events]


@handles
def grant_tier(customer: Customer, command: GrantTier) -> list[NewEvent[CustomerEvent]]:
    if customer.purchases == 0:
        raise Rejected(f"customer {command.customer_id} has bought nothing yet")
    if not is_higher(command.tier, customer.tier):
        raise Rejected(f"customer {command.customer_id} has the tier {customer.tier} already")
    return [occurred_on(command.on, TierChanged(command.tier))]


def active_month(customer: Customer, on: date) -> int | None:
    """See `Purchased`."""
    if customer.first_purchase is None or customer.last_purchase is None:
        return 0
    again = months_between(customer.last_purchase, on) == 0
    return None if again else months_between(customer.first_purchase, on)


def earned_tier(cents: int) -> Tier:
    return next(tier for tier, threshold in THRESHOLDS.items() if cents >= threshold)


def is_higher(tier: Tier, other: Tier) -> bool:
    return THRESHOLDS[tier] > THRESHOLDS[other]


def occurred_on(day: date, event: CustomerEvent) -> NewEvent[CustomerEvent]:
    return NewEvent(event, occurred_at=datetime.combine(day, time(), UTC))
