"""The decisions and the folds, without a database."""

import sys
from datetime import date
from pathlib import Path

import pytest

from commands.testing import given
from examples.cdnow.cohort_plot import NoPlotError, plot_cohorts
from examples.cdnow.cohort_table import retention
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
from examples.cdnow.months import month_before, months_between
from examples.cdnow.profile import Band, band_of, profile_of
from examples.cdnow.purchases import ROWS, cents_of, read_purchases
from examples.cdnow.read_models import Cohort

JANUARY, MARCH = date(1997, 1, 1), date(1997, 3, 1)
CELLS = [
    Cohort("1997-01+00", "1997-01", 0, 8),
    Cohort("1997-01+02", "1997-01", 2, 2),
    Cohort("1997-02+00", "1997-02", 0, 3),
]


def test_a_purchase_below_the_next_threshold_leaves_the_tier_as_it_is() -> None:
    given().when(record_purchase, RecordPurchase("c-1", JANUARY, 2, 99_99)).then(
        Purchased(JANUARY, 2, 99_99, active_month=0)
    )


def test_the_purchase_that_reaches_a_threshold_changes_the_tier() -> None:
    given(Purchased(JANUARY, 1, 99_99)).when(record_purchase, RecordPurchase("c-1", MARCH, 1, 1)).then(
        Purchased(MARCH, 1, 1, active_month=2), TierChanged(Tier.SILVER)
    )


def test_a_large_purchase_skips_tiers() -> None:
    given().when(record_purchase, RecordPurchase("c-1", JANUARY, 9, 1_500_00)).then(
        Purchased(JANUARY, 9, 1_500_00, active_month=0), TierChanged(Tier.PLATINUM)
    )


def test_a_tier_that_was_granted_is_not_lost_by_buying() -> None:
    given(Purchased(JANUARY, 1, 5_00), TierChanged(Tier.GOLD)).when(
        record_purchase, RecordPurchase("c-1", MARCH, 1, 120_00)
    ).then(Purchased(MARCH, 1, 120_00, active_month=2))


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


def test_only_the_first_purchase_in_a_month_says_how_many_months_after_the_very_first_one_it_is() -> None:
    bought = Purchased(date(1997, 3, 31), 1, 5_00, active_month=0)
    given(bought).when(record_purchase, RecordPurchase("c-1", date(1997, 3, 31), 1, 5_00)).then(
        Purchased(date(1997, 3, 31), 1, 5_00, active_month=None)
    )
    given(bought).when(record_purchase, RecordPurchase("c-1", date(1998, 2, 1), 1, 5_00)).then(
        Purchased(date(1998, 2, 1), 1, 5_00, active_month=11)
    )


def test_months_are_counted_by_the_calendar() -> None:
    assert months_between(date(1997, 3, 31), date(1998, 2, 1)) == 11
    assert [month_before(date(1998, 2, 1), months) for months in (0, 1, 2, 14)] == [
        "1998-02",
        "1998-01",
        "1997-12",
        "1996-12",
    ]


@pytest.mark.parametrize(
    ("cents", "band"), [(0, Band.UNDER_20), (19_99, Band.UNDER_20), (20_00, Band.FROM_20), (1_000_00, Band.FROM_1000)]
)
def test_a_band_begins_with_its_first_dollar(cents: int, band: Band) -> None:
    assert band_of(cents) is band


def test_a_profile_says_in_words_what_the_row_says_in_numbers() -> None:
    assert (
        profile_of(Tier.BASIC, 1, 1, 9_05, JANUARY)
        == "one-time basic customer since January 1997: 1 order, 1 CD, $9.05"
    )
    said = profile_of(Tier.PLATINUM, 12, 40, 1_234_50, MARCH)
    assert said == "devoted platinum customer since March 1997: 12 orders, 40 CDs, $1,234.50"


def test_a_month_in_which_nobody_bought_has_the_share_0() -> None:
    assert [(each.cohort, each.size, each.shares) for each in retention(CELLS)] == [
        ("1997-01", 8, [100, 0, 25]),
        ("1997-02", 3, [100]),
    ]


def test_the_picture_has_a_number_for_each_cell_and_is_the_same_for_the_same_data(tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for file in (first, second):
        plot_cohorts(CELLS, file)
    assert ">25.0<" in first.read_text(encoding="utf-8")
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_that_cannot_be_drawn_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoPlotError, match=r"cohorts.gif: expected a name that ends with .svg, .png, .pdf"):
        plot_cohorts(CELLS, Path("cohorts.gif"))
    with pytest.raises(NoPlotError, match="cannot be written: No such file"):
        plot_cohorts(CELLS, tmp_path / "nowhere" / "cohorts.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NoPlotError, match=r"pip install 'eventfold\[plot\]'"):
        plot_cohorts(CELLS, tmp_path / "cohorts.svg")
