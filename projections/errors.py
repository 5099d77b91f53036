"""The read side's branch of the error tree.

EventfoldError
├── NotYetVisible       the read model does not contain the write yet, and the time to wait is over
├── ProjectionFailed    a fold raised, or returned something that is not a row
│   ├── EventParked     the event waits aside with its followers of the same key; all else goes on
│   └── InlineFailed    a read model that is kept inline refuses an append; nothing was stored
├── ReactionFailed      a side effect raised
├── ProjectionPaused    nobody keeps the rows until the projection is resumed
├── RebuildRefused      the database refused the rows of a rebuild; the live rows are untouched
├── ViewRefused         the database refused the SQL of a reporting view, or a row that it gives; nothing was changed
├── RollbackRefused     there are no former rows that this code could go on with
├── TargetUnavailable   the server that keeps the rows is away or has too much to do (a StoreUnavailable)
├── RowsRefused         the target refused rows; keys and reasons are named, and the engine parks these keys
├── GenerationDropped   another process has removed the generation that was being written (a NotFound)
├── NeedsRebuild        the stored rows were made by another version of the projection or model
├── UnknownModel        no projection keeps this model (a NotFound)
└── InvalidQuery        a field, operator or value does not fit the model (an InvalidInput)
"""

from collections.abc import Mapping
from typing import Any

from eventstore import EventfoldError, InvalidInput, NotFound, StoreUnavailable


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
        key: of the row; None where `key=` failed.
        reason: what is wrong.
    """

    code = "projection_failed"

    def __init__(self, projection: str, position: int, key: object, reason: str) -> None:
        self.projection, self.position, self.key, self.reason = projection, position, key, reason
        super().__init__(
            f"projection {projection!r} failed on the event at position {position}, key {key!r}: {reason}. The rows stand "
            "as they were before that event; mend the fold and run the worker again."
        )


class ProjectionPaused(EventfoldError):
    """A projection was paused, and what was asked of it waits until it is resumed.

    Attributes:
        projection: the projection's name.
    """

    code = "projection_paused"
    status = 503

    def __init__(self, projection: str) -> None:
        self.projection = projection
        super().__init__(
            f"projection {projection!r} is paused, and its rows stand as they were; `eventfold projections resume {projection}` "
            "lets it go on, and stale=True takes the rows as they are"
        )


class EventParked(ProjectionFailed):
    """An event that the projection could not take waits aside, with its followers of the same key; all else goes on.

    A query says so where it asks for such a write.
    """

    code = "event_parked"

    def __init__(self, projection: str, position: int, key: object, reason: str) -> None:
        super().__init__(projection, position, key, reason)
        self.args = (_parked_text(projection, position, key, reason),)


class InlineFailed(ProjectionFailed):
    """A read model that is kept inline cannot take an event, so the append is refused. Nothing was stored.

    Attributes:
        event_type: of the event at fault.
        stream: of the event at fault.
    """

    code = "inline_failed"

    def __init__(
        self, projection: str, position: int, key: object, reason: str, event_type: str, stream: str, *, own: bool
    ) -> None:
        super().__init__(projection, position, key, reason)
        self.event_type, self.stream = event_type, stream
        event = f"the event {event_type!r} of stream {stream!r}"
        what = (
            f"failed on {event}"
            if own
            else f"has to fold {event} at position {position} first, which was appended without it, and failed"
        )
        text = f"nothing was stored: projection {projection!r}, which is kept inline, {what}, key {key!r}: {reason}. Mend the fold"
        self.args = (f"{text}, or append what it can take." if own else f"{text}.",)


def _parked_text(projection: str, position: int, key: object, reason: str) -> str:
    if key is None:
        return (
            f"projection {projection!r} has parked the event at position {position}: {reason}. No row contains it; mend key= and "
            f"run `eventfold projections rebuild {projection}`"
        )
    return (
        f"projection {projection!r} has parked the events of key {key!r} from position {position} on: {reason}. The row is as it "
        f"was before them; mend what is wrong and run `eventfold projections parked retry {projection}`"
    )


class ReactionFailed(EventfoldError):
    """A reaction raised an error, which is tried again, or has been parked with the later events of its key.

    Attributes:
        reaction: the reaction's name.
        position: of the event that it failed on.
        key: within which events are carried out in order; None where `key=` failed.
        reason: what is wrong.
        parked: whether the event waits aside.
    """

    code = "reaction_failed"

    def __init__(
        self,
        reaction: str,
        position: int,
        key: str | None,
        reason: str,
        *,
        parked: bool = False,
        kind: str = "reaction",
    ) -> None:
        self.reaction, self.position, self.key, self.reason, self.parked = reaction, position, key, reason, parked
        reason = reason.removesuffix(".")
        if parked:
            events = "the event at position" if key is None else f"the events of key {key!r} from position"
            text = (
                f"has parked {events} {position}{'' if key is None else ' on'}: {reason}. All others go on; mend what is wrong and "
                f"run `eventfold reactions retry {reaction}`"
            )
        else:
            text = f"failed on the event at position {position}, key {key!r}: {reason}. It waits before that event and tries again."
        super().__init__(f"{kind} {reaction!r} {text}")


class RebuildRefused(EventfoldError):
    """The database refused what a rebuild wrote: two rows that a declared rule keeps apart, a full disk.

    The live rows are untouched, and the rebuild stands at its last write.

    Attributes:
        projection: the projection's name.
        target: where its rows are kept.
        position: everything up to here was written before.
    """

    code = "rebuild_refused"

    def __init__(self, projection: str, target: str, generation: int, position: int, error: Exception) -> None:
        self.projection, self.target, self.position = projection, target, position
        super().__init__(
            f"projection {projection!r}: the database refused rows of generation {generation} of {target!r}, made of events "
            f"after position {position}: {type(error).__name__}: {error}. The rows that queries see are untouched. If it can be "
            f"mended in the database, run `eventfold projections rebuild {projection}` again, which goes on from there; if the "
            "fold, or what the target declares as unique, must change, change it and raise version=, and rebuild"
        )


class ViewRefused(EventfoldError):
    """The database refused the SQL of a reporting view, or a row that it gives. What was there before is untouched.

    Attributes:
        view: the view's name.
    """

    code = "view_refused"

    def __init__(self, view: str, reason: str) -> None:
        self.view = view
        super().__init__(
            f"reporting view {view!r}: the database refuses it: {reason}. What it showed before is untouched; mend its "
            "SQL, and see `eventfold views list`"
        )


class RollbackRefused(EventfoldError):
    """There are no former rows to go back to, or this code cannot go on with them. Nothing was changed."""

    code = "rollback_refused"

    def __init__(self, projection: str, target: str, reason: str) -> None:
        super().__init__(f"projection {projection!r} in {target!r} stays as it is: {reason}")


class TargetUnavailable(StoreUnavailable):
    """The server that keeps a read model's rows is away, or has too much to do. The log is not concerned.

    The projection waits in this target, says so in its status, and goes on by itself.
    """

    code = "target_unavailable"


class RowsRefused(EventfoldError):
    """A target refused rows of a batch: they do not fit its mapping. The batch's other rows are written.

    Attributes:
        reasons: by the key of the row.
    """

    code = "rows_refused"

    def __init__(self, target: str, reasons: Mapping[Any, str]) -> None:
        self.target, self.reasons = target, dict(reasons)
        key, reason = next(iter(self.reasons.items()))
        others = f", and {len(self.reasons) - 1} others" if len(self.reasons) > 1 else ""
        super().__init__(f"{target!r} refuses the row under the key {key!r}{others}: {reason}")


class GenerationDropped(NotFound):
    """A generation of a read model is gone: another process has rebuilt the projection meanwhile. Look for the live one."""

    code = "generation_dropped"

    def __init__(self, projection: str, target: str, number: int) -> None:
        super().__init__(
            f"projection {projection!r}: generation {number} of {target!r} is gone; another process has rebuilt the "
            "projection meanwhile, see `eventfold projections status`"
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
