"""Turns stored JSON text into events: one decoder for each event type. `encoding` does the other way."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn, TypeAlias

import msgspec

from eventstore.backend import Payload, Row, label_of, node_of
from eventstore.encoding import decoder_of
from eventstore.errors import NewerEventSchema, UnknownEventType, UnreadableEvent, UpcastFailed
from eventstore.event import Event, event_classes, event_type, schema_version
from eventstore.lineage import Lineage
from eventstore.recorded import Recorded, UnknownEvent
from eventstore.upcaster import JsonObject, Node, Upcaster, UpcastError

_FAILURES = (UpcastError, msgspec.DecodeError, ValueError, RecursionError)

_Decode: TypeAlias = Callable[[str | bytes], Any]
_decode_fields = msgspec.json.Decoder().decode
_encode_fields = msgspec.json.Encoder().encode


class Codec:
    """Decodes the stored events of the declared types, and upcasts what was stored in their older shapes.

    An event at its type's present name and version is decoded straight into its class; nothing of what deals with the
    others is touched.

    Args:
        declared: an Event class, a union of them, or a sequence.
        strict: whether an undeclared type is an error; otherwise it is read as `UnknownEvent`.
        retired: the names of undeclared types that a strict reader passes over.

    Attributes:
        lineage: the older names and shapes of the declared types.

    Raises:
        DefinitionError: two of the classes have the same type name, or their upcasters contradict each other.
    """

    def __init__(self, declared: Any = (), *, strict: bool = False, retired: Sequence[str] = ()) -> None:
        self.classes = event_classes(declared)
        self.strict = strict
        self.retired = frozenset(retired)
        self.lineage = Lineage(self.classes)
        self._known: dict[str, tuple[int, _Decode]] = {
            name: (schema_version(cls), decoder_of(cls)) for name, cls in self.lineage.classes.items()
        }
        self._labels: dict[str, _Decode] = {
            label_of(name, version): decode for name, (version, decode) in self._known.items()
        }
        self._straight: dict[Node, tuple[str, int, tuple[int, _Decode]]] = {}
        for node in self.lineage.older():
            straight = self.lineage.straight(node)
            if straight is not None:
                steps, cls = straight
                decode = _straight_decoder(steps, cls)
                self._labels[label_of(*node)] = decode
                self._straight[node] = event_type(cls), schema_version(cls), (schema_version(cls), decode)

    @property
    def types(self) -> tuple[str, ...]:
        """The stable names of the declared types."""
        return tuple(self._known)

    def reads(self, name: str, schema: int) -> bool:
        """Whether a stored type and schema version is that of a declared class."""
        return name in self._known and self._known[name][0] == schema

    def decode(self, rows: Iterable[Row]) -> list[Recorded[Any]]:
        """The rows as recorded events.

        Raises:
            UnknownEventType: strict, and a type is neither declared nor retired.
            NewerEventSchema: an event was stored by newer code.
            UpcastFailed: an upcaster raised, or made what does not fit.
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
                straight = self._straight.get((name, schema))
                if straight is None:
                    found += self._decode_other(row)
                    continue
                name, schema, entry = straight
            try:
                event = entry[1](data)
            except _FAILURES as error:
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

    def decode_events(self, rows: Sequence[Row]) -> list[Any]:
        """The events of the rows, without their envelopes: what a fold over one stream needs."""
        events = self.decode_payloads([(label_of(row[4], row[5]), row[12]) for row in rows])
        return [each.event for each in self.decode(rows)] if events is None else events

    def decode_payloads(self, payloads: Sequence[Payload]) -> list[Any] | None:
        """The events of these payloads; None where one of them needs a closer look, by way of its whole row."""
        labels = self._labels
        try:
            return [labels[label](data) for label, data in payloads]
        except KeyError:
            return self._decode_split_payloads(payloads)
        except _FAILURES:
            return None

    def _decode_split_payloads(self, payloads: Sequence[Payload]) -> list[Any] | None:
        found: list[Any] = []
        try:
            for label, data in payloads:
                decode = self._labels.get(label)
                if decode is not None:
                    found.append(decode(data))
                    continue
                name, schema = node_of(label)
                if self.lineage.is_older((name, schema)):
                    found += [event for event, *_ in self._pieces((name, schema), data)]
                elif name not in self.retired:
                    return None
        except (*_FAILURES, UnknownEventType):
            return None
        return found

    def _decode_other(self, row: Row) -> list[Recorded[Any]]:
        """The events of a row whose type is not declared, or not in this version."""
        node = row[4], row[5]
        if not self.lineage.is_older(node):
            if self.strict and row[4] in self.retired:
                return []
            return [Recorded(self._decode_undeclared(row), *row[:12])]
        try:
            pieces = self._pieces(node, row[12])
        except _FAILURES as error:
            _refuse(row, error)
        except UnknownEventType as error:
            raise UnknownEventType(f"{_where(row)}: {error}") from None
        return [_piece(row, *piece) for piece in pieces]

    def _pieces(self, node: Node, data: str) -> list[tuple[Any, str, int, int]]:
        """The events that a stored one becomes, where a step may make any number of it: with type, version and index."""
        passed_over = self.retired if self.strict else ()
        return [
            (self._fit(name, version, fields, step), name, version, i)
            for i, (name, version, fields, step) in enumerate(self.lineage.upcast(node, _decode_fields(data)))
            if name not in passed_over
        ]

    def _fit(self, name: str, version: int, fields: JsonObject, step: Upcaster[Any]) -> Any:
        entry = self._known.get(name)
        if entry is not None and entry[0] == version:
            return _fit(fields, entry[1], step)
        if self.strict:
            raise UnknownEventType(
                f"upcaster {step.name} makes {name} {version} of it, which this reader does not declare "
                f"({self._declares()}); add the class to its events"
            )
        return UnknownEvent(name, version, fields)

    def _decode_undeclared(self, row: Row) -> UnknownEvent:
        name, schema = row[4], row[5]
        entry = self._known.get(self.lineage.canonical(name))
        if entry is not None:
            _refuse_schema(row, entry[0])
        if self.strict:
            raise UnknownEventType(
                f"stream {row[1]!r} version {row[2]} (position {row[0]}) holds event type {name!r}, which this reader "
                f"does not declare ({self._declares()}); add the class to its events, or to `retired` what it no longer needs"
            )
        return UnknownEvent(name, schema, msgspec.json.decode(row[12]))

    def _declares(self) -> str:
        return f"it declares {', '.join(sorted(self._known)) or 'none'}"


def _straight_decoder(steps: Sequence[Upcaster[Any]], cls: type[Event]) -> _Decode:
    """Decodes, applies the steps, and fits the result into the class."""
    if not steps:
        return decoder_of(cls)
    first, last, fit = steps[0].one, steps[-1], decoder_of(cls)
    further = [(before.handed_on, step.one) for before, step in pairwise(steps)]

    def decode(data: str | bytes) -> Any:
        fields = first(_decode_fields(data))
        for handed_on, one in further:
            fields = one(handed_on(fields))
        try:
            return fit(_encode_fields(fields))
        except (TypeError, ValueError, RecursionError) as error:
            raise _unfit(last, error) from error

    return decode


def _fit(fields: JsonObject, decode: _Decode, step: Upcaster[Any]) -> Any:
    """By way of JSON: what an upcaster returned then fits exactly where it would have fitted had it been stored so."""
    try:
        return decode(_encode_fields(fields))
    except (TypeError, ValueError, RecursionError) as error:
        raise _unfit(step, error) from error


def _unfit(step: Upcaster[Any], error: Exception) -> UpcastError:
    return UpcastError(f"what upcaster {step.name} ({step.step}) returned does not fit the class: {error}")


def _piece(row: Row, event: Any, name: str, schema: int, sub_index: int) -> Recorded[Any]:
    """One of the events that a stored one has become, in the envelope of that."""
    envelope = (*row[:4], name, schema, *row[6:12])
    return Recorded(event, *envelope, sub_index)


def _refuse(row: Row, error: Exception) -> NoReturn:
    if isinstance(error, UpcastError):
        raise UpcastFailed(f"{_where(row)}: {error}; mend the upcaster, the log is as it was") from error
    restored = "restore the field or give it a default" if "missing required" in str(error) else "restore the field"
    raise UnreadableEvent(
        f"{_where(row)} does not fit its declared class: {error}; {restored}, or raise the version and write an upcaster"
    ) from error


def _where(row: Row) -> str:
    return f"event {row[4]!r} schema {row[5]} at position {row[0]} (stream {row[1]!r} version {row[2]})"


def _refuse_schema(row: Row, declared: int) -> NoReturn:
    where = f"event {row[4]!r} at position {row[0]} (stream {row[1]!r} version {row[2]})"
    if row[5] > declared:
        raise NewerEventSchema(
            f"{where} has schema {row[5]}, and this code declares schema {declared}; deploy the code that knows it"
        )
    raise UnreadableEvent(
        f"{where} has schema {row[5]}, and this code declares schema {declared}; write an upcaster, "
        f'`@upcasts("{row[4]}", {row[5]})`'
    )


@lru_cache(maxsize=1024)
def codec_of(declared: Any, *, strict: bool = False, retired: tuple[str, ...] = ()) -> Codec:
    """A codec for a union of event classes, made once."""
    return Codec(declared, strict=strict, retired=retired)
