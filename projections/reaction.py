"""Reactions: side effects that follow events, such as an e-mail, declared apart from folds."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from eventstore import DefinitionError, Event, EventStore, Recorded
from eventstore.event import event_classes
from projections.errors import ProjectionFailed, ReactionFailed
from projections.fold import keys_of
from projections.model import model_of, shown
from projections.parked import Poison
from projections.partition import check_partitions
from projections.projection import KeyFunction, Projection
from projections.reaction_place import ReactionPlace
from projections.signature import POSITIONAL, Signature
from projections.track import Track

Start: TypeAlias = Literal["now", "beginning"] | int
PATIENT = Poison(attempts=8, pause=0.5)
"""The outside is away more often than a fold is wrong: about half a minute goes by before an event is parked."""
EXAMPLE = "(recorded: Recorded[Registered]), and a second one, as in app: Application, where the application is wanted"


class ReactionKey(msgspec.Struct, frozen=True):
    """What a reaction would have rows of, if it had any: events of one key are carried out in order."""

    key: str


class Reaction:
    """A side effect and what is known of it. Calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: unique among the reactions and projections of an application.
        function: what is done.
        takes_app: whether the function has a second parameter, the application.
        start: where it begins when it is first seen.
        partitions: into how many shares its keys are divided.
        poison: what is done about an event that it fails on.
        reading: which events it wants, and by which key, as a projection says it.
        many: does the same for several events at once, in their order, where that is quicker. Where it fails, they are carried
            out one by one.
        outages: errors that are nobody's fault: what failed with one is tried until it is over.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        reading: Projection[ReactionKey],
        *,
        takes_app: bool,
        start: Start,
        partitions: int,
        poison: Poison,
        many: Callable[[Sequence[Recorded[Any]], Any], None] | None = None,
        outages: tuple[type[Exception], ...] = (),
    ) -> None:
        self.many = many
        self.outages = outages
        self.name = reading.name
        self.function = function
        self.takes_app = takes_app
        self.start = start
        self.partitions = partitions
        self.poison = poison
        self.reading = reading
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function itself."""
        return self.function(*arguments)

    @property
    def kind(self) -> str:
        """What it is for people: one that does many at once is a publication."""
        return "reaction" if self.many is None else "publication"

    @property
    def events(self) -> tuple[type[Event], ...]:
        """The event classes that it wants."""
        return self.reading.events

    @property
    def is_async(self) -> bool:
        """Whether the function is awaited."""
        return inspect.iscoroutinefunction(self.function)

    def key_of(self, recorded: Recorded[Any]) -> str | None:
        """The key of an event; None where the reaction does not want it.

        Raises:
            ReactionFailed: `key=` raised, or named several.
        """
        try:
            keys = keys_of(self.reading, recorded)
        except ProjectionFailed as failure:
            raise ReactionFailed(self.name, recorded.position, None, failure.reason, kind=self.kind) from failure
        if len(keys) > 1:
            reason = f"key=: expected one key, within which events are carried out in order, or None, got {keys!r}"
            raise ReactionFailed(self.name, recorded.position, None, reason, kind=self.kind)
        return keys[0] if keys else None

    def __repr__(self) -> str:
        return f"<reaction {self.name}>"


def reaction(
    name: str,
    *,
    events: Any = (),
    key: KeyFunction | None = None,
    category: str | None = None,
    tags: Sequence[str] = (),
    start: Start = "now",
    partitions: int = 1,
    poison: Poison = PATIENT,
) -> Callable[[Callable[..., Any]], Reaction]:
    """Makes a function a reaction: a worker calls it at least once for each event, in the order of each key.

        @reaction("welcome")
        def welcome(recorded: Recorded[Registered]) -> None:
            send_mail(recorded.event.email, "Welcome", message_id=recorded.event_id)

    It may be `async def`, and it may have a second parameter, which is given the application. After a crash an event may come
    again: hand its `event_id` to whatever is outside, so that it can tell. What the function returns is not looked at.

    Args:
        name: unique among the reactions and projections of an application.
        events: the event classes; by default those of the annotation.
        key: from a recorded event to the key within which events are carried out in order, and wait for each other where one
            fails; None for an event that is not wanted. By default the id of the event's stream.
        category: only events of streams of this category.
        tags: only events with all of these tags.
        start: where it begins, decided once, when an application that declares it first opens the log: "now", with the events
            that are appended from then on, at the "beginning" of the log, or after a position.
        partitions: into how many shares the keys are divided, each of which is carried out apart from the others. Decided at
            that moment, too.
        poison: what is done about an event that it fails on; by default it is tried eight times, in half a minute, and then
            parked with the later events of its key.

    Raises:
        DefinitionError: something of that is not acceptable, or the parameters are not a recorded event and, where it is
            wanted, the application.
    """
    where = f"reaction {name!r}"
    if not name or not name.isidentifier() or name != name.lower():
        raise DefinitionError(f"{where}: expected a name of a-z, 0-9 and _, not beginning with a digit")
    if not isinstance(poison, Poison):
        raise DefinitionError(f"{where}: poison: expected a Poison, as in Poison(attempts=5), got {poison!r}")
    _check_start(where, start)
    check_partitions(where, partitions)

    def define(function: Callable[..., Any]) -> Reaction:
        declared, takes_app = _read_parameters(where, function, events)
        signature = Signature(model_of(ReactionKey), declared, takes_key=False)
        texts = None if key is None else _as_texts(key)
        reading = Projection(function, name, 1, signature, texts, category, tuple(tags))
        return Reaction(function, reading, takes_app=takes_app, start=start, partitions=partitions, poison=poison)

    return define


def reaction_track(store: EventStore, reaction: Reaction) -> Track:
    """Where a reaction stands in a log. It is registered there, unless it is already."""
    start = {"now": store.head, "beginning": lambda: 0}.get(str(reaction.start), lambda: int(reaction.start))
    place: Any = ReactionPlace(store.backend, reaction.name, start)  # a target in all but its rows
    track = Track(reaction.reading, "reaction", place, reaction.partitions, reaction.poison)
    track.refresh()
    return track


def _as_texts(key: KeyFunction) -> KeyFunction:
    def texts(recorded: Recorded[Any]) -> Any:
        found = key(recorded)
        if isinstance(found, (list, tuple, set, frozenset)):
            return [str(each) for each in found]
        return None if found is None else str(found)

    return texts


def _check_start(where: str, start: object) -> None:
    if start in {"now", "beginning"}:
        return
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        raise DefinitionError(f'{where}: start: expected "now", "beginning" or a position, got {start!r}')


def _read_parameters(where: str, function: Callable[..., Any], events: Any) -> tuple[tuple[type[Event], ...], bool]:
    """The events that a function takes, and whether it takes the application, too."""
    parameters = list(inspect.signature(function).parameters.values())
    application = parameters[1:]
    if not parameters or len(application) > 1 or any(each.kind not in POSITIONAL for each in parameters):
        found = inspect.signature(function)
        raise DefinitionError(f"{where}: expected one positional parameter, as in {EXAMPLE}; got {found}")
    return event_classes(events or _events(where, function, parameters[0].name)), bool(application)


def _events(where: str, function: Callable[..., Any], parameter: str) -> Any:
    """What the annotation of the recorded event says."""
    try:
        hint = get_type_hints(function).get(parameter)
    except NameError as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}; or say events=") from error
    if get_origin(hint) is not Recorded:
        found = "no annotation" if hint is None else shown(hint)
        raise DefinitionError(f"{where}: parameter {parameter}: expected `Recorded[...]`, got {found}; or say events=")
    return get_args(hint)[0]
