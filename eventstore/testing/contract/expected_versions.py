"""Expected versions: what an append says about the stream it appends to."""

import pytest

from eventstore.errors import WrongExpectedVersion
from eventstore.expected import ANY, NO_STREAM, STREAM_EXISTS, ExpectedVersion
from eventstore.new_event import StreamAppend
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import Deposited

MET = [
    (ANY, 0),
    (ANY, 1),
    (ANY, 3),
    (NO_STREAM, 0),
    (STREAM_EXISTS, 1),
    (STREAM_EXISTS, 3),
    (0, 0),
    (1, 1),
    (3, 3),
]
NOT_MET = [
    (NO_STREAM, 1),
    (NO_STREAM, 3),
    (STREAM_EXISTS, 0),
    (0, 1),
    (0, 3),
    (1, 0),
    (1, 3),
    (2, 1),
    (2, 3),
    (3, 0),
    (4, 3),
    (2**63 - 1, 3),
]


class ExpectedVersions(StoreCases):
    """Every expectation against every state of a stream."""

    @pytest.mark.parametrize(("expected", "actual"), MET)
    def test_an_expectation_that_is_met_lets_the_append_through(
        self, store: EventStore, expected: ExpectedVersion, actual: int
    ) -> None:
        _given(store, actual)

        appended = store.append("account-1", [Deposited(8), Deposited(9)], expected=expected)

        assert appended.versions == {"account-1": actual + 2}
        assert store.stream_version("account-1") == actual + 2

    @pytest.mark.parametrize(("expected", "actual"), NOT_MET)
    def test_an_expectation_that_is_not_met_refuses_the_append(
        self, store: EventStore, expected: ExpectedVersion, actual: int
    ) -> None:
        _given(store, actual)
        before = store.head()

        with pytest.raises(WrongExpectedVersion) as refused:
            store.append("account-1", [Deposited(9)], expected=expected)

        assert (refused.value.stream, refused.value.expected, refused.value.actual) == (
            "account-1",
            str(expected),
            actual,
        )
        assert "'account-1'" in str(refused.value)
        assert str(expected) in str(refused.value)
        assert (f"version {actual}" if actual else "no events") in str(refused.value)
        assert store.head() == before
        assert store.stream_version("account-1") == actual

    @pytest.mark.parametrize(("expected", "actual"), NOT_MET)
    def test_one_stream_that_is_not_as_expected_refuses_the_whole_append(
        self, store: EventStore, expected: ExpectedVersion, actual: int
    ) -> None:
        _given(store, actual)
        before = store.head()

        with pytest.raises(WrongExpectedVersion, match="account-1"):
            store.append_all(
                [StreamAppend("account-2", [Deposited(1)]), StreamAppend("account-1", [Deposited(2)], expected)]
            )

        assert store.head() == before
        assert store.stream_version("account-2") == 0

    def test_every_stream_of_an_append_has_its_own_expectation(self, store: EventStore) -> None:
        _given(store, 2)

        appended = store.append_all(
            [
                StreamAppend("account-1", [Deposited(1)], 2),
                StreamAppend("account-2", [Deposited(1)], NO_STREAM),
                StreamAppend("other-1", [Deposited(1)], STREAM_EXISTS),
            ]
        )

        assert appended.versions == {"account-1": 3, "account-2": 1, "other-1": 2}

    def test_the_version_that_an_append_returns_can_be_expected_by_the_next(self, store: EventStore) -> None:
        version = 0
        for n in range(5):
            version = store.append("account-1", [Deposited(n)], expected=version).versions["account-1"]

        assert version == 5

    def test_of_two_appends_with_the_same_expectation_the_second_is_refused(self, store: EventStore) -> None:
        _given(store, 1)
        store.append("account-1", [Deposited(2)], expected=1)

        with pytest.raises(WrongExpectedVersion) as refused:
            store.append("account-1", [Deposited(3)], expected=1)

        assert refused.value.actual == 2


def _given(store: EventStore, version: int) -> None:
    """A stream at a version, beside another one that must not matter."""
    store.append("other-1", [Deposited(0)])
    if version:
        store.append("account-1", [Deposited(n) for n in range(version)])
