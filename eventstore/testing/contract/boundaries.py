"""The examples of https://dcb.events, decided over queries instead of streams."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventstore.errors import AppendConditionFailed
from eventstore.query import AppendCondition, Query
from eventstore.store import EventStore
from eventstore.testing.contract.base import PATIENCE_SECONDS, StoreCases, events
from eventstore.testing.contract.vocabulary import (
    CourseDefined,
    InvoiceCreated,
    StudentLeft,
    StudentSubscribed,
    UsernameClaimed,
    UsernameReleased,
)

MOST_COURSES = 2


class Boundaries(StoreCases):
    """Course subscriptions, unique usernames and invoice numbers."""

    def test_a_student_subscribes_while_the_course_has_room(self, store: EventStore) -> None:
        store.append("course-c1", [CourseDefined("c1", 2)])

        for student in ("s1", "s2"):
            decided = _subscription(store, student, "c1")
            store.append(f"student-{student}", decided[0], condition=decided[1])

        assert _seats_taken(store, "c1") == 2

    def test_the_last_seat_is_not_given_away_twice(self, store: EventStore) -> None:
        store.append("course-c1", [CourseDefined("c1", 1)])
        first = _subscription(store, "s1", "c1")
        second = _subscription(store, "s2", "c1")
        store.append("student-s1", first[0], condition=first[1])

        with pytest.raises(AppendConditionFailed):
            store.append("student-s2", second[0], condition=second[1])

        assert _seats_taken(store, "c1") == 1

    def test_a_student_cannot_take_two_courses_at_once_beyond_the_limit(self, store: EventStore) -> None:
        for course in ("c1", "c2", "c3"):
            store.append(f"course-{course}", [CourseDefined(course, 10)])
        store.append("student-s1", [StudentSubscribed("s1", "c1")])
        both = [_subscription(store, "s1", course) for course in ("c2", "c3")]
        store.append("student-s1", both[0][0], condition=both[0][1])

        with pytest.raises(AppendConditionFailed):
            store.append("student-s1", both[1][0], condition=both[1][1])

        assert len(list(store.read_log(types=[StudentSubscribed], tags=["student:s1"]))) == MOST_COURSES

    def test_subscriptions_that_have_nothing_to_do_with_each_other_do_not_conflict(self, store: EventStore) -> None:
        for course in ("c1", "c2"):
            store.append(f"course-{course}", [CourseDefined(course, 1)])
        first = _subscription(store, "s1", "c1")
        second = _subscription(store, "s2", "c2")

        store.append("student-s1", first[0], condition=first[1])
        store.append("student-s2", second[0], condition=second[1])

        assert _seats_taken(store, "c1") == _seats_taken(store, "c2") == 1

    def test_a_changed_capacity_is_noticed_by_a_decision_made_before(self, store: EventStore) -> None:
        store.append("course-c1", [CourseDefined("c1", 1)])
        decided = _subscription(store, "s1", "c1")
        store.append("course-c1", [CourseDefined("c1", 0)])

        with pytest.raises(AppendConditionFailed):
            store.append("student-s1", decided[0], condition=decided[1])

        assert _seats_taken(store, "c1") == 0

    def test_a_seat_given_back_can_be_taken_again(self, store: EventStore) -> None:
        store.append("course-c1", [CourseDefined("c1", 1)])
        store.append("student-s1", [StudentSubscribed("s1", "c1")])
        store.append("student-s1", [StudentLeft("s1", "c1")])

        decided = _subscription(store, "s2", "c1")
        store.append("student-s2", decided[0], condition=decided[1])

        assert _seats_taken(store, "c1") == 1

    def test_a_username_is_unique(self, store: EventStore) -> None:
        claim = Query.of(UsernameClaimed, tags=["username:ada"])
        store.append("user-1", [UsernameClaimed("ada")], condition=AppendCondition(claim))

        with pytest.raises(AppendConditionFailed):
            store.append("user-2", [UsernameClaimed("ada")], condition=AppendCondition(claim))
        store.append(
            "user-2",
            [UsernameClaimed("bob")],
            condition=AppendCondition(Query.of(UsernameClaimed, tags=["username:bob"])),
        )

        assert [each.event.username for each in store.read_log(types=[UsernameClaimed])] == ["ada", "bob"]

    def test_a_released_username_can_be_claimed_after_reading_the_release(self, store: EventStore) -> None:
        history = Query.of(UsernameClaimed, UsernameReleased, tags=["username:ada"])
        store.append("user-1", [UsernameClaimed("ada")])
        store.append("user-1", [UsernameReleased("ada")])
        *_, last = store.read_log(query=history)
        assert last.event == UsernameReleased("ada")

        store.append("user-2", [UsernameClaimed("ada")], condition=AppendCondition(history, last.position))

        assert store.stream_version("user-2") == 1

    def test_of_many_who_claim_a_username_at_once_exactly_one_gets_it(self, store: EventStore) -> None:
        claim = AppendCondition(Query.of(UsernameClaimed, tags=["username:ada"]))
        start = threading.Barrier(8)

        def attempt(n: int) -> bool:
            start.wait(PATIENCE_SECONDS)
            try:
                store.append(f"user-{n}", [UsernameClaimed("ada")], condition=claim)
            except AppendConditionFailed:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(attempt, range(8)))

        assert outcomes.count(True) == 1
        assert len(list(store.read_log(types=[UsernameClaimed]))) == 1

    def test_invoice_numbers_have_no_gaps_and_no_doubles_under_contention(self, store: EventStore) -> None:
        each_writes, writers = 5, 4

        def write(writer: int) -> None:
            written = 0
            while written < each_writes:
                number, condition = _next_invoice(store)
                try:
                    store.append(f"invoice-{writer}x{number}", [InvoiceCreated(number)], condition=condition)
                except AppendConditionFailed:
                    continue
                written += 1

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))

        numbers = [each.number for each in events(store.read_log(types=[InvoiceCreated]))]
        assert numbers == list(range(1, each_writes * writers + 1))


def _seats_taken(store: EventStore, course: str) -> int:
    tags = [f"course:{course}"]
    found = events(store.read_log(types=[StudentSubscribed, StudentLeft], tags=tags))
    return sum(1 if isinstance(each, StudentSubscribed) else -1 for each in found)


def _subscription(store: EventStore, student: str, course: str) -> tuple[list[StudentSubscribed], AppendCondition]:
    """A decision over everything that matters to it: the course, its seats, and the student's other courses."""
    query = Query.of(CourseDefined, StudentSubscribed, StudentLeft, tags=[f"course:{course}"]) | Query.of(
        StudentSubscribed, StudentLeft, tags=[f"student:{student}"]
    )
    seats, taken, courses, after = 0, 0, 0, 0
    for recorded in store.read_log(query=query):
        after = recorded.position
        match recorded.event:
            case CourseDefined(_, capacity):
                seats = capacity
            case StudentSubscribed(who, where):
                taken += where == course
                courses += who == student
            case StudentLeft(who, where):
                taken -= where == course
                courses -= who == student
    assert taken < seats
    assert courses < MOST_COURSES
    return [StudentSubscribed(student, course)], AppendCondition(query, after)


def _next_invoice(store: EventStore) -> tuple[int, AppendCondition]:
    query = Query.of(InvoiceCreated)
    last = next(store.read_log(query=query, backwards=True, limit=1), None)
    if last is None:
        return 1, AppendCondition(query)
    return last.event.number + 1, AppendCondition(query, last.position)
