"""The read side's branch of the error tree.

EventfoldError
├── NotYetVisible       the read model does not contain the write yet, and the time to wait is over
├── ProjectionFailed    a fold raised, or returned something that is not a row
├── NeedsRebuild        the stored rows were made by another version of the projection or model
├── UnknownModel        no projection keeps this model (a NotFound)
└── InvalidQuery        a field, operator or value does not fit the model (an InvalidInput)
"""

from eventstore import EventfoldError, InvalidInput, NotFound


class NotYetVisible(EventfoldError):
    """A query asked for a write that the read model does not contain yet. Ask again, or allow a stale answer.

    Attributes:
        projection: whose read model it is.
        wanted: the position asked for.
        reached: the position that the read model stands at.
    """

    code = "not_yet_visible"
    status = 503

    def __init__(self, projection: str, wanted: int, reached: int, seconds: float) -> None:
        self.projection, self.wanted, self.reached = projection, wanted, reached
        super().__init__(
            f"projection {projection!r} stands at position {reached}, and position {wanted} did not become visible within "
            f"{seconds:g} s; see `eventfold projections status`, raise timeout=, or take the stale answer with stale=True"
        )


class ProjectionFailed(EventfoldError):
    """A fold raised an error, or returned something that is not a row of its model.

    Attributes:
        projection: the projection's name.
        position: of the event that it failed on.
        key: of the row.
    """

    code = "projection_failed"

    def __init__(self, projection: str, position: int, key: object, reason: str) -> None:
        self.projection, self.position, self.key = projection, position, key
        super().__init__(
            f"projection {projection!r} failed on the event at position {position}, key {key!r}: {reason}. The rows stand "
            "as they were before that event; mend the fold and run the worker again."
        )


class NeedsRebuild(EventfoldError):
    """The stored rows were made by another version of the projection or of its model."""

    code = "needs_rebuild"
    status = 503


class UnknownModel(NotFound):
    """No projection of the application keeps this model."""

    code = "unknown_model"


class InvalidQuery(InvalidInput):
    """A query names a field, an operator or a value that does not fit the model."""

    code = "invalid_query"
