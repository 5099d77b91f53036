"""The rules, decision by decision; then what only a real log can show: two who want the same thing at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commands.testing import given
from eventfold import Application, Command, Rejected
from examples.courses.app import Course, school
from examples.courses.enrolment import (
    CapacityChanged,
    ChangeCapacity,
    CourseDefined,
    DefineCourse,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    change_capacity,
    define_course,
    subscribe_student,
    unsubscribe_student,
)
from examples.courses.invoice import InvoiceIssued, IssueInvoice, issue_invoice
from examples.courses.username import (
    ClaimUsername,
    ReleaseUsername,
    UsernameClaimed,
    UsernameReleased,
    claim_username,
    release_username,
)

ART = CourseDefined("art", 2)
ANN_TAKES_ART = Subscribed("ann", "art")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Application]:
    with school(f"sqlite:///{tmp_path / 'courses.db'}") as app:
        yield app


def test_a_course_is_defined_once() -> None:
    given().when(define_course, DefineCourse("art", 2)).then(ART)
    given(ART).when(define_course, DefineCourse("art", 9)).then_rejected("defined already, with 2 seats")


def test_a_capacity_changes_down_to_the_seats_that_are_taken() -> None:
    given(ART, ANN_TAKES_ART).when(change_capacity, ChangeCapacity("art", 1)).then(CapacityChanged("art", 1))
    given(ART, ANN_TAKES_ART, Subscribed("bob", "art")).when(change_capacity, ChangeCapacity("art", 1)).then_rejected(
        "has 2 students, more than 1 seats"
    )


def test_a_capacity_that_stays_as_it_is_is_no_event() -> None:
    given(ART).when(change_capacity, ChangeCapacity("art", 2)).then_nothing()


def test_a_student_subscribes_to_a_course_that_there_is_once() -> None:
    given(ART).when(subscribe_student, Subscribe("ann", "art")).then(ANN_TAKES_ART)
    given().when(subscribe_student, Subscribe("ann", "art")).then_rejected("no course art")
    given(ART, ANN_TAKES_ART).when(subscribe_student, Subscribe("ann", "art")).then_rejected("already")


def test_a_full_course_takes_nobody_until_somebody_leaves() -> None:
    full = [ART, ANN_TAKES_ART, Subscribed("bob", "art")]
    given(*full).when(subscribe_student, Subscribe("cleo", "art")).then_rejected("full: 2 seats")
    given(*full, Unsubscribed("bob", "art")).when(subscribe_student, Subscribe("cleo", "art")).then(
        Subscribed("cleo", "art")
    )


def test_a_student_takes_at_most_three_courses() -> None:
    others = [Subscribed("ann", course) for course in ("maths", "music", "latin")]
    given(ART, *others).when(subscribe_student, Subscribe("ann", "art")).then_rejected("takes 3 courses already")


def test_a_student_leaves_only_a_course_that_he_takes() -> None:
    given(ANN_TAKES_ART).when(unsubscribe_student, Unsubscribe("ann", "art")).then(Unsubscribed("ann", "art"))
    given().when(unsubscribe_student, Unsubscribe("ann", "art")).then_rejected("does not take course art")


def test_a_name_is_free_again_when_its_user_releases_it() -> None:
    claimed, released = UsernameClaimed("u-1", "ann"), UsernameReleased("u-1", "ann")
    given(claimed).when(claim_username, ClaimUsername("u-2", "ann")).then_rejected("is taken")
    given(claimed).when(release_username, ReleaseUsername("u-2", "ann")).then_rejected("not u-2's")
    given(claimed).when(release_username, ReleaseUsername("u-1", "ann")).then(released)
    given(claimed, released).when(claim_username, ClaimUsername("u-2", "ann")).then(UsernameClaimed("u-2", "ann"))


def test_the_next_invoice_has_the_next_number() -> None:
    given(InvoiceIssued(1, "c-1", 500)).when(issue_invoice, IssueInvoice("c-2", 70)).then(InvoiceIssued(2, "c-2", 70))


def test_the_log_keeps_a_student_to_three_courses_though_each_course_has_its_own_stream(app: Application) -> None:
    for course in ("art", "maths", "music", "latin"):
        app.dispatch(DefineCourse(course, 30))
    for course in ("maths", "music", "latin"):
        app.dispatch(Subscribe("ann", course))
    with pytest.raises(Rejected, match="takes 3 courses already"):
        app.dispatch(Subscribe("ann", "art"))
    app.dispatch(Subscribe("bob", "art"))


def test_of_ten_students_who_want_the_last_two_seats_at_once_two_get_them(app: Application) -> None:
    app.dispatch(DefineCourse("art", 2))
    outcomes = at_once(app, [Subscribe(f"s-{i}", "art") for i in range(10)])
    receipt = app.dispatch(ChangeCapacity("art", 3))
    assert outcomes.count("done") == 2
    assert set(outcomes) == {"done", "course art is full: 2 seats"}
    assert app.query(Course).get("art", after=receipt.token) == Course("art", 3, 2)


def test_of_ten_users_who_want_one_name_at_once_one_gets_it(app: Application) -> None:
    outcomes = at_once(app, [ClaimUsername(f"u-{i}", "ann") for i in range(10)])
    assert sorted(outcomes) == ["done"] + ["the name ann is taken"] * 9


def test_invoices_issued_at_once_are_numbered_without_a_gap(app: Application) -> None:
    outcomes = at_once(app, [IssueInvoice(f"c-{i % 3}", 100) for i in range(10)])
    numbers = [each.event.number for each in app.store.read_log(types=[InvoiceIssued])]
    assert outcomes == ["done"] * 10
    assert numbers == list(range(1, 11))


def at_once(app: Application, commands: list[Command]) -> list[str]:
    def dispatch(command: Command) -> str:
        try:
            app.dispatch(command)
        except Rejected as refusal:
            return str(refusal)
        return "done"

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(dispatch, commands))
