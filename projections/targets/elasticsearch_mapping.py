"""From a model's fields to an Elasticsearch mapping: what each is stored as, compared by, and searched in."""

import enum
import types
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

from eventstore import DefinitionError
from projections.columns import JsonText
from projections.model import Field, Model, bare
from projections.targets.decimal_order import in_order

Override: TypeAlias = str | Mapping[str, Any]
MAX_COMPARED = 8191
"""Longer texts are stored and searched, but not compared: the index takes terms of at most 32,766 bytes."""
DELETED = "eventfold-deleted"
"""Marks the document of a deleted row. No field of a model can have this name."""

_TEXT_TYPES = {"text", "match_only_text", "search_as_you_type", "annotated_text"}
_UNINDEXED: dict[str, Any] = {"type": "object", "enabled": False}


class IndexField(msgspec.Struct, frozen=True):
    """How a field of a model is kept in an index.

    Attributes:
        name: the model's.
        properties: what the mapping says of it, by the names in the index.
        exact: the name that is compared and sorted by; None where that cannot be done.
        text: the name that is searched in; None where it holds no text.
        write: from a value to what is stored under the field's own name; None where JSON has it as it is.
        companion: from a value to what is stored beside it under `exact`.
        read: from what is stored to the value.
        source: the name that is read.
        compare: from a value to what `exact` holds.
    """

    name: str
    properties: dict[str, Any]
    exact: str | None
    text: str | None
    read: Callable[[Any], Any]
    source: str
    write: Callable[[Any], Any] | None = None
    companion: Callable[[Any], Any] | None = None
    compare: Callable[[Any], Any] = lambda value: value


def index_fields(where: str, model: Model, overrides: Mapping[str, Override]) -> list[IndexField]:
    """What each field of a model is in an index.

    Args:
        where: for errors.
        model: of the rows.
        overrides: by field: "text", "keyword", a mapping such as `{"type": "text", "analyzer": "english"}`, or one without
            a type, which adjusts how the field's text is searched.

    Raises:
        DefinitionError: an override names no field, or does not fit it.
    """
    for name in overrides:
        if model.field(name) is None:
            known = ", ".join(each.name for each in model.fields)
            raise DefinitionError(f"{where}: fields: {model.cls.__name__} has no field {name!r}; it has {known}")
    fields = [_kept(each) for each in model.fields]
    return [_adjusted(where, each, overrides[each.name]) if each.name in overrides else each for each in fields]


def mapping_of(fields: list[IndexField], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of an index, which takes no field that it does not name."""
    properties: dict[str, Any] = {DELETED: {"type": "boolean"}}
    for field in fields:
        properties.update(field.properties)
    return {"dynamic": "strict", "_meta": dict(meta), "properties": properties}


def _kept(field: Field) -> IndexField:
    declared, name = field.type, field.name
    if isinstance(declared, type):
        if declared in _PLAIN:
            kind, read = _PLAIN[declared]
            text = f"{name}.text" if declared is str else None
            return IndexField(name, {name: kind()}, name, text, read, name)
        if declared in _WRITTEN:
            kind, read, write = _WRITTEN[declared]
            exact = f"{name}.exact" if declared is datetime else name
            return IndexField(name, {name: kind()}, exact, None, read, name, write, compare=write)
        if declared is Decimal:
            return _decimal(name)
        if issubclass(declared, enum.Enum) and all(isinstance(each.value, str) for each in declared):
            return IndexField(name, {name: _keyword()}, name, None, declared, name, compare=lambda value: value.value)
    return _nested(name, declared)


def _decimal(name: str) -> IndexField:
    exact = f"{name}-exact"
    number = {"type": "double", "ignore_malformed": True}
    properties = {name: number, exact: _keyword()}
    return IndexField(name, properties, exact, None, Decimal, name, companion=in_order, compare=in_order)


def _nested(name: str, declared: Any) -> IndexField:
    exact, json = f"{name}-exact", JsonText(declared)
    properties = {name: _inner(declared, ()), exact: _keyword()}
    text = None
    return IndexField(name, properties, exact, text, json.read, exact, companion=json.write, compare=json.write)


def _adjusted(where: str, field: IndexField, override: Override) -> IndexField:
    given: dict[str, Any] = {"type": override} if isinstance(override, str) else dict(override)
    old = field.properties[field.name]
    if "type" not in given:
        if field.text is None:
            raise DefinitionError(
                f"{where}: fields: {field.name} is {old['type']}, which is not searched as text; give a mapping with a type"
            )
        given = {**old, "fields": {**old["fields"], "text": {**old["fields"]["text"], **given}}}
    elif given == {"type": "keyword"}:
        given = _keyword()
    if field.exact == f"{field.name}.exact":  # an instant is compared by its text, whatever else is made of it
        given = {**given, "fields": {**given.get("fields", {}), "exact": _keyword()}}
    exact, text = _names(field.name, given)
    if field.companion is not None or field.exact == f"{field.name}.exact":
        exact = field.exact
    properties = {**field.properties, field.name: given}
    return msgspec.structs.replace(field, properties=properties, exact=exact, text=text)


def _names(name: str, mapping: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Under which names a field is compared, and searched as text."""
    kinds = {name: mapping["type"], **{f"{name}.{k}": v.get("type") for k, v in mapping.get("fields", {}).items()}}
    texts = [each for each, kind in kinds.items() if kind in _TEXT_TYPES]
    exact = name if kinds[name] not in _TEXT_TYPES else next((k for k, v in kinds.items() if v == "keyword"), None)
    return exact, texts[0] if texts else None


def _keyword() -> dict[str, Any]:
    return {"type": "keyword", "ignore_above": MAX_COMPARED}


def _searched() -> dict[str, Any]:
    return {**_keyword(), "fields": {"text": {"type": "text"}}}


def _instant() -> dict[str, Any]:
    return {"type": "date", "fields": {"exact": _keyword()}}


def utc_text(value: datetime) -> str:
    """An instant as text that sorts by time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


_PLAIN: dict[type, tuple[Callable[[], dict[str, Any]], Callable[[Any], Any]]] = {
    str: (_searched, lambda value: value),
    int: (lambda: {"type": "long"}, lambda value: value),
    float: (lambda: {"type": "double"}, float),
    bool: (lambda: {"type": "boolean"}, lambda value: value),
    date: (lambda: {"type": "date", "format": "strict_date"}, date.fromisoformat),
    uuid.UUID: (_keyword, uuid.UUID),
}
_WRITTEN: dict[type, tuple[Callable[[], dict[str, Any]], Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: (_instant, datetime.fromisoformat, utc_text),
    bytes: (_keyword, bytes.fromhex, bytes.hex),
}
_INNER: dict[Any, Callable[[], dict[str, Any]]] = {
    str: _searched,
    int: lambda: {"type": "long"},
    float: lambda: {"type": "double"},
    bool: lambda: {"type": "boolean"},
    date: lambda: {"type": "date"},
    datetime: lambda: {"type": "date"},
    Decimal: lambda: {"type": "double", "ignore_malformed": True},
    uuid.UUID: _keyword,
}


def _inner(declared: Any, path: tuple[Any, ...]) -> dict[str, Any]:
    """The mapping of a nested value: of its fields where it is a Struct, else it is stored and not looked into."""
    declared = _member(declared)
    if declared in _INNER:
        return _INNER[declared]()
    if not isinstance(declared, type) or not issubclass(declared, msgspec.Struct) or declared in path:
        return _UNINDEXED
    config = declared.__struct_config__
    if config.array_like or config.tag is not None:
        return _UNINDEXED
    hints = get_type_hints(declared, include_extras=True)
    names = zip(declared.__struct_fields__, declared.__struct_encode_fields__, strict=True)
    return {"properties": {encoded: _inner(hints[name], (*path, declared)) for name, encoded in names}}


def _member(declared: Any) -> Any:
    """The type itself of an optional value, or of a list's members: an index does not tell one from several."""
    declared = bare(declared)
    while True:
        origin, arguments = get_origin(declared), [each for each in get_args(declared) if each is not type(None)]
        if (origin in {Union, types.UnionType} and len(arguments) == 1) or (
            origin in {list, set, frozenset} and arguments
        ):
            declared = bare(arguments[0])
        else:
            return declared
