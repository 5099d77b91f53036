"""The contract itself: no case hides another, and it finds what is wrong with a backend."""

import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from eventstore.backend import LogFilter, Row, StreamInfo, StreamRange, WriteRequest, Written
from eventstore.backends.memory.backend import MemoryBackend
from eventstore.store import EventStore
from eventstore.testing import EventStoreContract
from eventstore.testing.contract import taking
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import EVENTS

GROUPS = [parent for parent in EventStoreContract.__mro__ if issubclass(parent, StoreCases)]


def cases(cls: type) -> list[str]:
    return [name for name in vars(cls) if name.startswith("test_") and vars(cls)[name] is not None]


def test_no_group_hides_a_case_of_another() -> None:
    names = Counter(name for group in GROUPS for name in cases(group))

    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) >= 100


@pytest.mark.parametrize("capability", ["shares_log", "joins_transactions", "keeps_snapshots"])
def test_a_capability_that_a_backend_lacks_leaves_out_its_cases_and_no_others(capability: str) -> None:
    lacking: Any = type("Lacking", (EventStoreContract,), {capability: False})

    left_out = {name for name, value in inspect.getmembers(lacking) if name.startswith("test_") and value is None}

    assert left_out == {name for group in GROUPS if vars(group).get("needs") == capability for name in cases(group)}
    assert left_out


def test_a_subclass_without_a_store_factory_is_told_what_to_define() -> None:
    fixture = StoreCases.store_factory.__wrapped__  # type: ignore[attr-defined]  # the fixture's own function

    with pytest.raises(NotImplementedError, match="define the fixture store_factory"):
        fixture(StoreCases())


class SkipsAnEvent(MemoryBackend):
    def log_page(self, wanted: LogFilter, after: int, up_to: int, limit: int, *, backwards: bool = False) -> list[Row]:
        return [row for row in super().log_page(wanted, after, up_to, limit, backwards=backwards) if row[0] % 7]


class IgnoresTags(MemoryBackend):
    def _write(self, request: WriteRequest) -> Written:
        return super()._write(msgspec.structs.replace(request, condition=None))


class ForgetsHalfOfARefusedAppend(MemoryBackend):
    def _write(self, request: WriteRequest) -> Written:
        if len(request.writes) > 1:
            super()._write(msgspec.structs.replace(request, writes=request.writes[:1]))
            return super()._write(msgspec.structs.replace(request, writes=request.writes[1:]))
        return super()._write(request)


class FailsAllForOne(MemoryBackend):
    def commit(self, requests: Sequence[WriteRequest]) -> list[Written | Exception]:
        outcomes = super().commit(requests)
        failed = next((each for each in outcomes if isinstance(each, Exception)), None)
        return outcomes if failed is None else [failed] * len(outcomes)


class ReadsBackwardsOneTooFew(MemoryBackend):
    def stream_page(self, stream: str, part: StreamRange, limit: int) -> list[Row]:
        return super().stream_page(stream, part, limit - part.backwards)


class SortsByLetterCase(MemoryBackend):
    def streams_page(self, after: str, category: str | None, limit: int) -> list[StreamInfo]:
        return sorted(super().streams_page(after, category, limit), key=lambda each: each.stream.lower())


class IgnoresRepetition(MemoryBackend):
    def _write(self, request: WriteRequest) -> Written:
        return super()._write(msgspec.structs.replace(request, own_ids=False))


@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (SkipsAnEvent, "test_a_subscription_filters_as_reading_does"),
        (SkipsAnEvent, "test_positions_ascend_over_all_streams"),
        (IgnoresTags, "test_a_username_is_unique"),
        (IgnoresTags, "test_of_many_who_claim_a_username_at_once_exactly_one_gets_it"),
        (ForgetsHalfOfARefusedAppend, "test_a_refusal_by_the_last_stream_leaves_nothing_in_the_others"),
        (FailsAllForOne, "test_one_tasks_conflict_fails_only_that_task"),
        (ReadsBackwardsOneTooFew, "test_a_part_of_a_stream_is_what_a_list_would_give"),
        (SortsByLetterCase, "test_streams_are_listed_in_the_order_of_their_code_points"),
        (IgnoresRepetition, "test_a_repeated_append_returns_the_first_result_and_stores_nothing"),
    ],
)
def test_the_contract_finds_a_broken_backend(
    broken: type[MemoryBackend], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = {"after": 0, "up_to": None, "backwards": True}
    method = getattr(EventStoreContract(), case)
    chosen = {name: choices[name] for name in inspect.signature(method).parameters if name in choices}

    with monkeypatch.context() as impatient:
        impatient.setattr(taking, "PATIENCE_SECONDS", 0.5)  # what a broken one never gives need not be waited for long
        with pytest.raises((AssertionError, pytest.fail.Exception, IndexError, ValueError)):
            method(EventStore(broken(), events=EVENTS), **chosen)
    method(EventStore(MemoryBackend(), events=EVENTS), **chosen)
