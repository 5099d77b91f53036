"""Calendar months, as text that sorts: `1997-01`."""

from datetime import date

NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""Those of a library depend on the machine's language, and a fold must not."""


def month_of(day: date) -> str:
    """`1997-01` of any day of January 1997."""
    return day.isoformat()[:7]


def months_between(first: date, last: date) -> int:
    """How many months after the month of `first` that of `last` is: 0 in the same one, whatever the days."""
    return (last.year - first.year) * 12 + last.month - first.month


def month_before(day: date, months: int) -> str:
    """The month so many months before that of a day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return f"{year}-{month + 1:02}"


def spoken(day: date) -> str:
    """`January 1997`."""
    return f"{NAMES[day.month - 1]} {day.year}"
