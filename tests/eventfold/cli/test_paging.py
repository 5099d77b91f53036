"""Lists that end at a limit."""

from collections.abc import Sequence

import pytest

from eventfold.cli.output import Format
from eventfold.cli.paging import show_page
from eventfold.cli.table import number

ROWS = [{"position": position, "sub_index": index} for position, index in ((1, 0), (2, 0), (2, 1), (3, 0))]


@pytest.mark.parametrize(
    ("rows", "limit", "shown"),
    [(ROWS, 1, [1]), (ROWS, 2, [1, 2, 2]), (ROWS, 3, [1, 2, 2]), (ROWS[::-1], 2, [3, 2, 2]), (ROWS, 0, [1, 2, 2, 3])],
)
def test_a_limit_never_cuts_the_parts_of_a_stored_event_in_two(
    rows: Sequence[dict[str, int]], limit: int, shown: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    show_page(
        rows,
        [number("position")],
        Format.CSV,
        limit=limit,
        how_to_go_on=lambda last: f"--after {last['position']}",
        empty="nothing",
    )

    out, err = capsys.readouterr()
    assert [int(line.split(",")[0]) for line in out.splitlines()[1:]] == shown
    assert (f"--after {shown[-1]}" in err) == (len(shown) < len(rows))
