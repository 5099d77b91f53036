"""The decisions, without a database."""

from datetime import date

import pytest

from commands.testing import given
from examples.cdnow.customer import (
    GrantTier,
    Purchased,
    RecordPurchase,
    Tier,
    TierChanged,
    earned_tier,
    grant_tier,
    record_purchase,
)
from examples.cdnow.purchases import ROWS, cents_of, read_purchases

JANUARY, MARCH = date(1997, 1, 1), date(1997, 3, 1)


def test_a_purchase_below_the_next_threshold_leaves_the_tier_as_it_is() -> None:
    given().when(record_purchase, RecordPurchase("c-1", JANUARY, 2, 99_99)).then(Purchased(JANUARY, 2, 99_99))


def test_the_purchase_that_reaches_a_threshold_changes_the_tier() -> None:
    given(Purchased(JANUARY, 1, 99_99)).when(record_purchase, RecordPurchase("c-1", MARCH, 1, 1)).then(
        Purchased(MARCH, 1, 1), TierChanged(Tier.SILVER)
    )


def test_a_large_purchase_skips_tiers() -> None:
    given().when(record_purchase, RecordPurchase("c-1", JANUARY, 9, 1_500_00)).then(
        Purchased(JANUARY, 9, 1_500_00), TierChanged(Tier.PLATINUM)
    )


def test_a_tier_that_was_granted_is_not_lost_by_buying() -> None:
    given(Purchased(JANUARY, 1, 5_00), TierChanged(Tier.GOLD)).when(
        record_purchase, RecordPurchase("c-1", MARCH, 1, 120_00)
    ).then(Purchased(MARCH, 1, 120_00))


def test_a_purchase_before_the_last_one_is_refused() -> None:
    given(Purchased(MARCH, 1, 5_00)).when(record_purchase, RecordPurchase("c-1", JANUARY, 1, 5_00)).then_rejected(
        "1997-01-01 cannot follow the one on 1997-03-01"
    )


def test_a_purchase_of_nothing_or_for_less_than_nothing_is_invalid() -> None:
    given().when(record_purchase, RecordPurchase("c-1", JANUARY, 0, -1)).then_invalid("cds.*cents")


def test_a_higher_tier_is_granted_to_a_customer_who_has_bought() -> None:
    bought = Purchased(JANUARY, 1, 120_00)
    given(bought).when(grant_tier, GrantTier("c-1", Tier.GOLD, MARCH)).then(TierChanged(Tier.GOLD))
    given().when(grant_tier, GrantTier("c-1", Tier.GOLD, MARCH)).then_rejected("has bought nothing yet")
    given(bought, TierChanged(Tier.GOLD)).when(grant_tier, GrantTier("c-1", Tier.SILVER, MARCH)).then_rejected("gold")


@pytest.mark.parametrize(
    ("cents", "tier"),
    [
        (0, Tier.BASIC),
        (99_99, Tier.BASIC),
        (100_00, Tier.SILVER),
        (249_99, Tier.SILVER),
        (250_00, Tier.GOLD),
        (999_99, Tier.GOLD),
        (1_000_00, Tier.PLATINUM),
    ],
)
def test_a_tier_is_earned_from_its_threshold_on(cents: int, tier: Tier) -> None:
    assert earned_tier(cents) is tier


def test_dollars_become_cents_exactly() -> None:
    assert [cents_of(each) for each in ("11.77", "0.29", "1286.01")] == [11_77, 29, 1286_01]


@pytest.mark.parametrize("text", ["11", "11.7", "11.777", "-1.00", "", "1e3.00"])
def test_an_amount_without_two_decimals_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="dollars: expected an amount"):
        cents_of(text)


def test_the_file_has_every_purchase_in_the_order_of_its_date() -> None:
    purchases = read_purchases()
    assert len(purchases) == ROWS
    assert len({each.customer_id for each in purchases}) == 23_570
    assert [each.on for each in purchases] == sorted(each.on for each in purchases)
