"""What a newer shape makes of fields that were stored in an older one."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import msgspec

from eventstore.schema.constraint import tighter_words
from eventstore.schema.json_schema import Schema
from eventstore.schema.shape import resolve


class FieldChange(msgspec.Struct, frozen=True):
    """A change for which the newer code cannot read what the older wrote, or the older lacks a field that it needs.

    A wider type is none: the older code reads it until the newer one writes a value that only fits the wider type.

    Attributes:
        field: its path: `address.street`, `items[]`, `prices{}`; `prices{keys}` for the keys of a map.
        problem: what changed, as the end of a sentence.
        remedy: what to do.
    """

    field: str
    problem: str
    remedy: str


class _Pair(NamedTuple):
    """The two documents that references point into, and the pairs of types that are being compared already."""

    old: Schema
    new: Schema
    open: frozenset[tuple[str, str]] = frozenset()


def changes(old: Schema, new: Schema) -> list[FieldChange]:
    """The changes from one shape to another that are more than additions."""
    return list(_objects("", resolve(old, old), resolve(new, new), _Pair(old, new)))


def _values(path: str, old: Any, new: Any, pair: _Pair) -> Iterator[FieldChange]:
    """Each kind of value that was stored must be taken by one of those that the newer shape knows."""
    if not resolve(new, pair.new):
        return
    before, after = _options(old, pair.old), _options(new, pair.new)
    for each in before:
        found = [list(_one(path, each, into, pair)) for into in after]
        if all(found):
            yield from found[0] if len(after) == 1 else [_changed(path, resolve(old, pair.old), resolve(new, pair.new))]
            return


def _options(schema: Any, root: Schema) -> list[Any]:
    """The members of a union, unions in it and choices of several kinds included; a schema that is none is the only one."""
    found = resolve(schema, root)
    if "anyOf" in found:
        return [each for member in found["anyOf"] for each in _options(member, root)]
    kinds = dict.fromkeys(map(type, _choices(found)))
    if len(kinds) > 1:
        return [{"enum": [each for each in _choices(found) if type(each) is kind]} for kind in kinds]
    return [schema]


def _one(path: str, old: Any, new: Any, pair: _Pair) -> Iterator[FieldChange]:
    names = tuple(str(each.get("$ref")) if isinstance(each, dict) else "" for each in (old, new))
    if "None" not in names:
        if names in pair.open:  # the type refers to itself
            return
        pair = pair._replace(open=pair.open | {(names[0], names[1])})
    before, after = resolve(old, pair.old), resolve(new, pair.new)
    if _choices(after):
        yield from _lost_choices(path, before, after)
    elif not all(_takes(after.get("type"), kind) for kind in _kinds(before)):
        yield _changed(path, before, after)
    else:
        yield from _constraints(path, before, after)
        if after.get("type") == "object":
            yield from _objects(f"{path}.", before, after, pair)
        elif after.get("type") == "array":
            yield from _arrays(path, before, after, pair)


def _kinds(schema: Schema) -> set[Any]:
    """The JSON types of its values; None where they may have any."""
    return {_KINDS.get(type(each)) for each in _choices(schema)} or {schema.get("type")}


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _takes(new: Any, old: Any) -> bool:
    """Whether a JSON type takes the values of another."""
    return new is None or new == old or (new, old) == ("number", "integer")


def _lost_choices(path: str, old: Schema, new: Schema) -> Iterator[FieldChange]:
    lost = [each for each in _choices(old) if each not in _choices(new)]
    if lost or not _choices(old):
        yield FieldChange(path, f"no longer takes {', '.join(map(repr, lost)) or 'every value'}", "restore it")


def _constraints(path: str, old: Schema, new: Schema) -> Iterator[FieldChange]:
    for word in tighter_words(old, new):
        yield FieldChange(
            path, f"has another {word}: {_shown(old.get(word))} became {_shown(new.get(word))}", "restore it"
        )


def _objects(path: str, old: Schema, new: Schema, pair: _Pair) -> Iterator[FieldChange]:
    """Objects with fields of their own, and maps, whose values are all alike."""
    if "properties" in new:
        yield from _fields(path, old, new)
    elif "properties" not in old:
        path = path.removesuffix(".")
        plain = {"type": "string"}
        yield from _values(f"{path}{{keys}}", old.get("propertyNames", plain), new.get("propertyNames", plain), pair)
        yield from _values(f"{path}{{}}", _rest(old), _rest(new), pair)
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    of_map = dict.fromkeys(after, _rest(old)) if "properties" not in old else {}
    for name, each in (before or of_map).items():
        if name in after or "properties" not in new:
            yield from _values(f"{path}{name}", each, after.get(name, _rest(new)), pair)


def _fields(path: str, old: Schema, new: Schema) -> Iterator[FieldChange]:
    """Fields that have come and gone."""
    before, needed, optional = old.get("properties", {}), old.get("required", []), set(new.get("properties", {}))
    for name in new.get("required", []):
        optional.discard(name)
        if name not in before:
            yield FieldChange(f"{path}{name}", "is new and has no default", "give it a default")
        elif name not in needed:
            yield FieldChange(
                f"{path}{name}", "has lost its default, and stored events may lack it", "give it a default"
            )
    gone = [name for name in before if name not in new.get("properties", {})]
    for name in gone:
        if name in needed:
            yield FieldChange(f"{path}{name}", "is gone, and the code before this needs it", "restore it")
        elif new.get("additionalProperties") is False:
            yield FieldChange(f"{path}{name}", "is gone, and the class forbids unknown fields", "restore it")
    yield from _left_out(path, old, new, optional)


def _left_out(path: str, old: Schema, new: Schema, optional: Collection[str]) -> Iterator[FieldChange]:
    """Fields with a default that the code before this would miss, or would not let pass."""
    for name in sorted(optional):
        if new.get("x-omit-defaults") and name in old.get("required", []):
            yield FieldChange(
                f"{path}{name}", "is left out where it has its default, and the code before this needs it", "restore it"
            )
        elif old.get("additionalProperties") is False and name not in old.get("properties", {}):
            yield FieldChange(
                f"{path}{name}", "is new, and the code before this forbids unknown fields", "leave it out"
            )


def _rest(schema: Schema) -> Any:
    """What the values of a map are."""
    return schema.get("additionalProperties", {})


def _arrays(path: str, old: Schema, new: Schema, pair: _Pair) -> Iterator[FieldChange]:
    """Lists, whose items are all alike, and arrays with a meaning for each place."""
    first, second = old.get("prefixItems"), new.get("prefixItems")
    if first is None and second is None:
        yield from _values(f"{path}[]", old.get("items", {}), new.get("items", {}), pair)
        return
    if second is not None and not old.get("minItems", 0) <= len(second):
        yield _changed(path, old, new)  # the code before this needs more than the newer writes
    elif second is not None and first is not None and len(second) > old.get("maxItems", len(second)):
        yield _changed(path, old, new)  # and here it takes no more
    places = max(len(first or ()), len(second or ()))
    for i in range(places):
        left, right = _place(old, i), _place(new, i)
        if left is not None and right is not None:
            yield from _values(f"{path}[{i}]", left, right, pair)


def _place(schema: Schema, number: int) -> Any:
    """What stands at a place; None where nothing does."""
    places = schema.get("prefixItems")
    if places is None:
        return schema.get("items", {})
    return places[number] if number < len(places) else None


def _choices(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _changed(path: str, old: Schema, new: Schema) -> FieldChange:
    return FieldChange(path, f"was {describe(old)}, and is {describe(new)}", "restore its type")


def describe(schema: Schema) -> str:
    """A schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(describe(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return "one of " + ", ".join(map(repr, schema["enum"]))
    kind = str(schema.get("format") or schema.get("contentEncoding") or schema.get("type") or "anything")
    return f"{kind} of {describe(schema['items'])}" if schema.get("items") else kind


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)
