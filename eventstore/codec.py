"""Turns stored JSON text into events: one decoder for each event type. `encoding` does the other way."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

from eventstore.backend import Payload, Row, label_of
from eventstore.encoding import decoder_of, path_of
from eventstore.errors import (
    DefinitionError,
    NewerEventSchema,
    UnknownEventType,
    UnreadableEvent,
)
from eventstore.event import Event, event_classes, event_type, schema_version
from eventstore.recorded import Recorded, UnknownEvent


class Codec:
    """Decodes the stored events of the declared types.

    Args:
        declared: an Event class, a union of them, or a sequence.
        strict: whether an undeclared type is an error; otherwise it is read as `UnknownEvent`.

    Raises:
        DefinitionError: two of the classes have the same type name.
    """

    def __init__(self, declared: Any = (), *, strict: bool = False) -> None:
        self.classes = event_classes(declared)
        self.strict = strict
        self._known: dict[str, tuple[int, Callable[[str], Any]]] = {}
        self._labels: dict[str, Callable[[str], Any]] = {}
        owners: dict[str, type[Event]] = {}
        for cls in self.classes:
            name = event_type(cls)
            if name in owners:
                raise DefinitionError(
                    f"event type {name!r} is declared by {path_of(owners[name])} and by {path_of(cls)}; "
                    "give one of them another name with `event_type=`"
                )
            owners[name] = cls
            self._known[name] = (schema_version(cls), decoder_of(cls))
            self._labels[label_of(name, schema_version(cls))] = decoder_of(cls)

    @property
    def types(self) -> tuple[str, ...]:
        """The stable names of the declared types."""
        return tuple(self._known)

    def decode(self, rows: Iterable[Row]) -> list[Recorded[Any]]:
        """The rows as recorded events.

        Raises:
            UnknownEventType: strict, and a type is not declared.
            NewerEventSchema: an event was stored by newer code.
            UnreadableEvent: the stored JSON does not fit the declared class.
        """
        known = self._known
        found: list[Recorded[Any]] = []
        add = found.append
        for row in rows:
            (
                position,
                stream,
                version,
                recorded,
                name,
                schema,
                event_id,
                occurred,
                corr,
                caus,
                meta,
                tags,
                data,
            ) = row
            entry = known.get(name)
            if entry is None or entry[0] != schema:
                event = self._decode_undeclared(row)
            else:
                try:
                    event = entry[1](data)
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    _refuse(row, error)
            add(
                Recorded(
                    event,
                    position,
                    stream,
                    version,
                    recorded,
                    name,
                    schema,
                    event_id,
                    occurred,
                    corr,
                    caus,
                    meta,
                    tags,
                )
            )
        return found

    def decode_event(self, row: Row) -> Any:
        """The event of one row, without its envelope."""
        entry = self._known.get(row[4])
        if entry is None or entry[0] != row[5]:
            return self._decode_undeclared(row)
        try:
            return entry[1](row[12])
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            _refuse(row, error)

    def decode_events(self, rows: Iterable[Row]) -> list[Any]:
        """The events of the rows, without their envelopes: what a fold over one stream needs."""
        known = self._known
        try:
            return [
                entry[1](row[12])
                if (entry := known.get(row[4])) is not None and entry[0] == row[5]
                else self._decode_undeclared(row)
                for row in rows
            ]
        except (msgspec.DecodeError, ValueError, RecursionError):
            return [self.decode_event(row) for row in rows]  # once more, to name the event at fault

    def decode_payloads(self, payloads: Sequence[Payload]) -> list[Any] | None:
        """The events of these payloads; None where one of them needs a closer look, by way of its whole row."""
        labels = self._labels
        try:
            return [labels[label](data) for label, data in payloads]
        except (KeyError, msgspec.DecodeError, ValueError, RecursionError):
            return None

    def _decode_undeclared(self, row: Row) -> UnknownEvent:
        name, schema = row[4], row[5]
        entry = self._known.get(name)
        if entry is not None:
            _refuse_schema(row, entry[0])
        if self.strict:
            raise UnknownEventType(
                f"stream {row[1]!r} version {row[2]} (position {row[0]}) holds event type {name!r}, which this reader "
                f"does not declare (it declares {', '.join(sorted(self._known)) or 'none'}); add the class to its events"
            )
        return UnknownEvent(name, schema, msgspec.json.decode(row[12]))


def _refuse(row: Row, error: Exception) -> NoReturn:
    raise UnreadableEvent(
        f"event {row[4]!r} schema {row[5]} at position {row[0]} (stream {row[1]!r} version {row[2]}) does not fit its "
        f"declared class: {error}; restore the field, or give it a default"
    ) from error


def _refuse_schema(row: Row, declared: int) -> NoReturn:
    where = f"event {row[4]!r} at position {row[0]} (stream {row[1]!r} version {row[2]})"
    if row[5] > declared:
        raise NewerEventSchema(
            f"{where} has schema {row[5]}, and this code declares schema {declared}; deploy the code that knows it"
        )
    raise UnreadableEvent(
        f"{where} has schema {row[5]}, and this code declares schema {declared}; keep the older schema readable"
    )


@lru_cache(maxsize=1024)
def codec_of(declared: Any, *, strict: bool = False) -> Codec:
    """A codec for a union of event classes, made once."""
    return Codec(declared, strict=strict)
