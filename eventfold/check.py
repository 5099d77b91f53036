"""Looks an application over without its database: what it is made of, and what would fail only when it is used."""

from collections.abc import Iterator
from typing import Any

import msgspec

from commands.brokers.memory import MemoryBroker
from commands.brokers.opening import open_broker
from commands.message import Message, NewMessage
from eventfold.parts import Parts
from eventstore import Aggregate, EventfoldError
from eventstore.aggregate import codec_for, initial, policy_of
from eventstore.event import event_classes, event_type
from eventstore.snapshot import kind_of
from projections import Engine


def problems(parts: Parts) -> list[str]:
    """One sentence for each thing that cannot work. The database is not touched."""
    return [*_in_aggregates(parts), *_in_handlers(parts), *_in_projections(parts), *_in_broker(parts)]


def hints(parts: Parts) -> list[str]:
    """One sentence for each thing that works, but is perhaps not meant: nothing handles, nothing folds."""
    found = []
    folded = {cls for aggregate in parts.aggregates for cls in _events(aggregate)}
    for each in parts.projections:
        unseen = [event_type(cls) for cls in each.projection.events if folded and cls not in folded]
        if unseen:
            found.append(f"projection {each.projection.name}: {', '.join(unseen)}: no aggregate is folded from it")
    if not list(parts.handlers) and not parts.consumers:
        found.append("the application has no handlers: it takes no commands")
    telling = [each.name for each in parts.handlers if any(map(_is_message, _classes_in(each.returns)))]
    if parts.broker is None and (telling or parts.publish):
        whose = f" (handlers {', '.join(telling)})" if telling else ""
        found.append(
            f"the application names no broker: what it tells others{whose} waits in the outbox until it is handed over, as "
            "`eventfold outbox relay --broker URL` does"
        )
    return found


def broker_of(parts: Parts) -> str | None:
    """The broker for people, without secrets; None where the application names none, or no such broker can be."""
    if not isinstance(parts.broker, str | MemoryBroker | None):
        return f"made by {getattr(parts.broker, '__name__', 'a function')}"
    return None if parts.broker is None or list(_in_broker(parts)) else open_broker(parts.broker).description


def _in_broker(parts: Parts) -> Iterator[str]:
    """None to consume from, a URL that is none, or a library that is missing; nothing is connected to."""
    if parts.consumers and parts.broker is None:
        names = ", ".join(each.name for each in parts.consumers)
        yield f"consumers {names}: there is no broker to consume from; name one, as in Application(broker='nats://...')"
    if isinstance(parts.broker, str):
        try:
            open_broker(parts.broker)
        except EventfoldError as error:
            yield str(error)


def _in_aggregates(parts: Parts) -> Iterator[str]:
    for aggregate in parts.aggregates:
        if aggregate.evolve is Aggregate.evolve:
            yield f"aggregate {aggregate.__name__}: it has no evolve(self, event)"
        yield from (f"aggregate {aggregate.__name__}: {each}" for each in dict.fromkeys(_undeclared(aggregate)))


def _undeclared(aggregate: type[Aggregate[Any]]) -> Iterator[str]:
    """What the declaration lacks; a fault may be met more than once."""
    for work in (initial, codec_for, _snapshot_kind):
        try:
            work(aggregate)
        except EventfoldError as error:
            yield str(error)


def _snapshot_kind(aggregate: type[Aggregate[Any]]) -> None:
    if policy_of(aggregate) is not None:
        kind_of(aggregate)


def _in_handlers(parts: Parts) -> Iterator[str]:
    for handler in parts.handlers:
        try:
            msgspec.json.Decoder(handler.command)
        except TypeError as error:
            yield f"command {handler.command.__name__}: a field's type cannot be read from JSON: {error}"
        declared = {cls for each in handler.parameters for cls in _events(each.aggregate)}
        extra = [event_type(cls) for cls in _returned(handler.returns) if cls not in declared]
        if extra and handler.query is None:
            yield f"handler {handler.name}: returns {', '.join(extra)}, which its aggregate is not folded from"


def _in_projections(parts: Parts) -> Iterator[str]:
    """Binds every projection to the kind of database that the application has, which is not connected to."""
    try:
        with parts.open_unchecked() as store:
            Engine(store, parts.projections, views=parts.views)
    except EventfoldError as error:
        yield str(error)


def _events(aggregate: Any) -> tuple[Any, ...]:
    try:
        return codec_for(aggregate).classes
    except EventfoldError:
        return ()


def _classes_in(annotation: Any) -> Iterator[Any]:
    """Everything that an annotation names, at whatever depth."""
    annotation = getattr(annotation, "__value__", annotation)  # `type X = A | B`, Python 3.12
    yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from _classes_in(each)


def _is_message(named: Any) -> bool:
    named = getattr(named, "__origin__", named)
    return isinstance(named, type) and issubclass(named, Message | NewMessage)


def _returned(annotation: Any) -> tuple[Any, ...]:
    """The event classes in `list[A | B]`; none where the annotation says something else."""
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if annotation is None or len(arguments) != 1:
        return ()
    try:
        return event_classes(arguments[0])
    except EventfoldError:
        return ()
