"""Decimals as text that has their order, for places that compare text and know no decimals."""

from decimal import Decimal

_BIAS = 10**19
_WIDTH = 20
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def in_order(value: Decimal) -> str:
    """Text that compares as the decimals do: equal for equal ones (9 and 9.00), less for lesser ones.

    A sign comes first, then the place of the first digit, then the digits. Of negative numbers all digits are turned round.

    Args:
        value: a finite decimal.
    """
    sign, digits, _ = value.as_tuple()
    if not value:
        return "1"
    place = f"{value.adjusted() + _BIAS:0{_WIDTH}}"
    text = place + "".join(map(str, digits)).strip("0")
    return f"0{text.translate(_COMPLEMENT)}~" if sign else f"2{text}"
