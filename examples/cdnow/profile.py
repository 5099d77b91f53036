"""What can be said of a customer in words: the band of spending, the habit, and a line to search in."""

from datetime import date
from enum import StrEnum

from examples.cdnow.customer import Tier
from examples.cdnow.months import spoken


class Band(StrEnum):
    """How much was spent in all, in dollars, from the least to the most."""

    UNDER_20 = "under-20"
    FROM_20 = "20-to-50"
    FROM_50 = "50-to-100"
    FROM_100 = "100-to-250"
    FROM_250 = "250-to-1000"
    FROM_1000 = "1000-and-more"


BANDS = {
    1_000_00: Band.FROM_1000,
    250_00: Band.FROM_250,
    100_00: Band.FROM_100,
    50_00: Band.FROM_50,
    20_00: Band.FROM_20,
    0: Band.UNDER_20,
}
"""By the cents from which it begins, the highest first."""

HABITS = {10: "devoted", 5: "regular", 2: "returning", 0: "one-time"}
"""By the number of orders from which a customer is called so, the highest first."""


def dollars(cents: int) -> str:
    """1177 as `$11.77`."""
    return f"${cents // 100:,}.{cents % 100:02}"


def band_of(cents: int) -> Band:
    return next(band for threshold, band in BANDS.items() if cents >= threshold)


def habit_of(orders: int) -> str:
    return next(habit for threshold, habit in HABITS.items() if orders >= threshold)


def profile_of(tier: Tier, orders: int, cds: int, cents: int, first_purchase: date) -> str:
    """`regular gold customer since January 1997: 7 orders, 15 CDs, $313.45`."""
    spent = f"{_counted(orders, 'order')}, {_counted(cds, 'CD')}, {dollars(cents)}"
    return f"{habit_of(orders)} {tier} customer since {spoken(first_purchase)}: {spent}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
