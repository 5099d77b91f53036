"""The application, in `courses.db` unless the environment variable COURSES_DATABASE names another database."""

import os
from typing import assert_never

from eventfold import Application, Recorded, SqlTable, Struct, projection, replace
from examples.courses.enrolment import (
    CapacityChanged,
    CourseDefined,
    EnrolmentEvent,
    Subscribed,
    Unsubscribed,
    change_capacity,
    define_course,
    subscribe_student,
    unsubscribe_student,
)
from examples.courses.invoice import issue_invoice
from examples.courses.username import claim_username, release_username


class Course(Struct, frozen=True):
    course_id: str
    capacity: int
    taken: int = 0


@projection("courses")
def courses(row: Course | None, recorded: Recorded[EnrolmentEvent]) -> Course | None:
    event = recorded.event
    if isinstance(event, CourseDefined):
        return Course(event.course_id, event.capacity)
    if row is None:
        return None  # nobody subscribes to a course that is not defined
    match event:
        case CapacityChanged(_, capacity):
            return replace(row, capacity=capacity)
        case Subscribed():
            return replace(row, taken=row.taken + 1)
        case Unsubscribed():
            return replace(row, taken=row.taken - 1)
        case _:
            assert_never(event)


def school(database: str) -> Application:
    return Application(
        database,
        handlers=[
            define_course,
            change_capacity,
            subscribe_student,
            unsubscribe_student,
            claim_username,
            release_username,
            issue_invoice,
        ],
        projections=[courses.into(SqlTable("courses"))],
        migrate=True,
        name="courses",
    )


app = school(os.environ.get("COURSES_DATABASE", "sqlite:///courses.db"))
