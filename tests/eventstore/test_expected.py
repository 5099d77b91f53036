"""Expected versions: every kind against an empty and a full stream."""

import pytest

from eventstore import ANY, NO_STREAM, STREAM_EXISTS, ExpectedVersion, WrongExpectedVersion
from eventstore.expected import check_expected, verify_expected


@pytest.mark.parametrize(
    ("expected", "accepts"),
    [
        (ANY, {0, 1, 2}),
        (NO_STREAM, {0}),
        (STREAM_EXISTS, {1, 2}),
        (0, {0}),
        (1, {1}),
        (2, {2}),
        (3, set()),
    ],
    ids=str,
)
def test_an_expectation_accepts_exactly_its_versions(expected: ExpectedVersion, accepts: set[int]) -> None:
    for actual in range(3):
        if actual in accepts:
            verify_expected("a-1", expected, actual)
        else:
            with pytest.raises(WrongExpectedVersion) as refused:
                verify_expected("a-1", expected, actual)
            assert (refused.value.stream, refused.value.expected, refused.value.actual) == (
                "a-1", str(expected), actual,
            )  # fmt: skip


@pytest.mark.parametrize("expected", [ANY, NO_STREAM, STREAM_EXISTS, 0, 2**63 - 1])
def test_every_expectation_is_taken_as_it_is(expected: ExpectedVersion) -> None:
    assert check_expected(expected) is expected
