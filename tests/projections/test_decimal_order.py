"""Decimals as text: in the order of the decimals, and equal for equal ones."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from projections.targets.decimal_order import in_order

decimals = st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(
    min_value=-100, max_value=100, places=2, allow_nan=False
)


@given(decimals, decimals)
def test_text_compares_as_the_decimals_do(first: Decimal, second: Decimal) -> None:
    texts = in_order(first), in_order(second)

    assert (first < second) == (texts[0] < texts[1])
    assert (first == second) == (texts[0] == texts[1])


def test_it_holds_between_neighbours_of_every_kind() -> None:
    texts = ["-1E+30", "-100", "-99.5", "-99", "-0.5", "-1E-30", "0", "1E-30", "0.05", "0.5", "9", "9.5", "10", "1E+30"]
    rising = list(map(Decimal, texts))

    assert sorted(rising, key=in_order) == rising
    assert in_order(Decimal("9.00")) == in_order(Decimal(9))
    assert in_order(Decimal("-0.0")) == in_order(Decimal(0))
