"""Publications: the log handed to a broker, past the outbox. They read what is stored, so appends do not pay for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from commands.errors import BrokerUnavailable
from commands.outbox.publish import ToMessage, check_publish, told_of
from eventstore import DefinitionError, Event, Recorded
from projections import Poison, Reaction, reaction
from projections.reaction import Start

PATIENT = Poison(attempts=8, pause=0.5)


class Publishing:
    """Hands events to the broker of an application.

    Attributes:
        maps: from classes of events to functions that make messages of them.
    """

    def __init__(self, name: str, maps: Mapping[type[Event], ToMessage]) -> None:
        self.maps = maps
        self._name = name

    def __call__(self, events: Sequence[Recorded[Any]], app: Any) -> None:
        """Publishes them, in their order."""
        source, by = app.parts.source, f"{self._name}/"
        told = [each for event in events for each in told_of(self.maps[type(event.event)], event, source, by=by)]
        app.parts.sender.send(told)


def publication(
    name: str,
    publish: Mapping[type[Event], ToMessage],
    *,
    category: str | None = None,
    tags: Sequence[str] = (),
    start: Start = "now",
    partitions: int = 1,
) -> Reaction:
    """Events of the log, handed to the application's broker as messages: each at least once, and those of a stream in order.

        app = Application(..., reactions=[publication("feed", {Deposited: to_message}, start="beginning")], broker="nats://...")

    It is a subscription that remembers how far it has come, kept by workers and by `eventfold publish`; it can begin in the past,
    and `eventfold reactions` shows and mends it. While the broker is away it waits. An event whose map fails, or whose message the
    broker refuses for good, is tried again and then parked with the later ones of its stream.

    Args:
        name: unique among the publications, reactions and projections of an application.
        publish: from classes of events to pure functions that make messages of them; see `Application`. Here the event's position
            is known.
        category: only events of streams of this category.
        tags: only events with all of these tags.
        start: where it begins, when it is seen first; see `reaction`.
        partitions: into how many shares the streams are divided, each of which is published apart from the others.

    Raises:
        DefinitionError: something of that is not acceptable.
    """
    maps = check_publish(publish)
    if not maps:
        raise DefinitionError(
            f"publication {name!r}: expected a dict from event classes to functions, got an empty one"
        )

    publish_all = Publishing(name, maps)

    def one(recorded: Recorded[Any], app: Any) -> None:
        publish_all([recorded], app)

    define = reaction(
        name, events=list(maps), category=category, tags=tags, start=start, partitions=partitions, poison=PATIENT
    )
    found = define(one)
    found.many, found.outages = publish_all, (BrokerUnavailable,)
    return found
