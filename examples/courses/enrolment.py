"""Enrolment: a course has a capacity, and a student takes at most so many courses.

Neither rule belongs to one stream: a subscription fills a seat of the course and one of the student's places. So the
decision reads, by their tags, the events of this course and of this student, and no others; two students who subscribe to
two courses never get in each other's way.
"""

from typing import Annotated, assert_never

from eventfold import Aggregate, Command, Event, Meta, Query, Rejected, Tag, field, handles, replace

COURSES_OF_A_STUDENT = 3

Capacity = Annotated[int, Meta(gt=0)]
CourseId = Annotated[str, Tag("course")]
StudentId = Annotated[str, Tag("student")]


class CourseDefined(Event):
    course_id: CourseId
    capacity: int


class CapacityChanged(Event):
    course_id: CourseId
    capacity: int


class Subscribed(Event):
    student_id: StudentId
    course_id: CourseId


class Unsubscribed(Event):
    student_id: StudentId
    course_id: CourseId


EnrolmentEvent = CourseDefined | CapacityChanged | Subscribed | Unsubscribed


class Enrolment(Aggregate[EnrolmentEvent]):
    """What one decision has to know: the capacity of the course, and who subscribed to what."""

    capacity: int | None = None
    pairs: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def evolve(self, event: EnrolmentEvent) -> "Enrolment":
        match event:
            case CourseDefined(_, capacity) | CapacityChanged(_, capacity):
                return replace(self, capacity=capacity)
            case Subscribed(student_id, course_id):
                return replace(self, pairs=self.pairs | {(student_id, course_id)})
            case Unsubscribed(student_id, course_id):
                return replace(self, pairs=self.pairs - {(student_id, course_id)})
            case _:
                assert_never(event)

    def students_of(self, course_id: str) -> int:
        return sum(course == course_id for _, course in self.pairs)

    def courses_of(self, student_id: str) -> int:
        return sum(student == student_id for student, _ in self.pairs)


class DefineCourse(Command):
    course_id: str
    capacity: Capacity


class ChangeCapacity(Command):
    course_id: str
    capacity: Capacity


class Subscribe(Command):
    student_id: str
    course_id: str


class Unsubscribe(Command):
    student_id: str
    course_id: str


def course_stream(command: DefineCourse | ChangeCapacity | Subscribe | Unsubscribe) -> str:
    return f"course-{command.course_id}"


def of_course(command: DefineCourse | ChangeCapacity | Subscribe) -> Query:
    return Query.of(tags=[f"course:{command.course_id}"])


def of_course_and_student(command: Subscribe) -> Query:
    """All of the course, and the subscriptions of the student; not the capacities of the student's other courses."""
    return of_course(command) | Query.of(Subscribed, Unsubscribed, tags=[f"student:{command.student_id}"])


def of_pair(command: Unsubscribe) -> Query:
    return Query.of(Subscribed, Unsubscribed, tags=[f"course:{command.course_id}", f"student:{command.student_id}"])


@handles(query=of_course, stream=course_stream)
def define_course(course: Enrolment, command: DefineCourse) -> list[EnrolmentEvent]:
    if course.capacity is not None:
        raise Rejected(f"course {command.course_id} is defined already, with {course.capacity} seats")
    return [CourseDefined(command.course_id, command.capacity)]


@handles(query=of_course, stream=course_stream)
def change_capacity(course: Enrolment, command: ChangeCapacity) -> list[EnrolmentEvent]:
    if course.capacity is None:
        raise Rejected(f"there is no course {command.course_id}")
    taken = course.students_of(command.course_id)
    if command.capacity < taken:
        raise Rejected(f"course {command.course_id} has {taken} students, more than {command.capacity} seats")
    return [] if command.capacity == course.capacity else [CapacityChanged(command.course_id, command.capacity)]


@handles(query=of_course_and_student, stream=course_stream)
def subscribe_student(enrolment: Enrolment, command: Subscribe) -> list[EnrolmentEvent]:
    course_id, student_id = command.course_id, command.student_id
    if enrolment.capacity is None:
        raise Rejected(f"there is no course {course_id}")
    if (student_id, course_id) in enrolment.pairs:
        raise Rejected(f"student {student_id} takes course {course_id} already")
    if enrolment.students_of(course_id) >= enrolment.capacity:
        raise Rejected(f"course {course_id} is full: {enrolment.capacity} seats")
    if enrolment.courses_of(student_id) >= COURSES_OF_A_STUDENT:
        raise Rejected(f"student {student_id} takes {COURSES_OF_A_STUDENT} courses already")
    return [Subscribed(student_id, course_id)]


@handles(query=of_pair, stream=course_stream)
def unsubscribe_student(enrolment: Enrolment, command: Unsubscribe) -> list[EnrolmentEvent]:
    if (command.student_id, command.course_id) not in enrolment.pairs:
        raise Rejected(f"student {command.student_id} does not take course {command.course_id}")
    return [Unsubscribed(command.student_id, command.course_id)]
