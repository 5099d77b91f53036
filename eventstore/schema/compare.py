"""What a newer shape makes of fields that were stored in an older one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventstore.schema.shape import Schema, resolve

_NARROWING = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_WIDENING = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_EXACT = ("pattern", "multipleOf", "format", "contentEncoding")


class FieldChange(msgspec.Struct, frozen=True):
    """A change for which the newer code cannot read what the older wrote, or the older lacks a field that it needs.

    A wider type is none: the older code reads it until the newer one writes a value that only fits the wider type.

    Attributes:
        field: its path: `address.street`, `items[]`.
        problem: what changed, as the end of a sentence.
        remedy: what to do.
    """

    field: str
    problem: str
    remedy: str


def changes(old: Schema, new: Schema) -> list[FieldChange]:
    """The changes from one shape to another that are more than additions."""
    return list(_objects("", resolve(old, old), resolve(new, new), old, new))


def _objects(path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> Iterator[FieldChange]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in new.get("required", []):
        if name not in before:
            yield FieldChange(f"{path}{name}", "is new and has no default", "give it a default")
        elif name not in old.get("required", []):
            yield FieldChange(
                f"{path}{name}", "has lost its default, and stored events may lack it", "give it a default"
            )
    for name in before:
        if name in after:
            yield from _values(f"{path}{name}", before[name], after[name], old_root, new_root)
        elif name in old.get("required", []):
            yield FieldChange(f"{path}{name}", "is gone, and the code before this needs it", "restore it")


def _values(path: str, old: Any, new: Any, old_root: Schema, new_root: Schema, depth: int = 0) -> Iterator[FieldChange]:
    before, after = resolve(old, old_root), resolve(new, new_root)
    if depth > 20 or not after or (before == after and "$ref" not in str(before)):  # noqa: PLR2004 - it may refer to itself
        return
    options = after.get("anyOf", [after])
    for each in before.get("anyOf", [before]):
        found = [
            list(_one(path, resolve(each, old_root), resolve(into, new_root), old_root, new_root, depth))
            for into in options
        ]
        if found and all(found):
            yield from found[0] if len(options) == 1 else [_changed(path, before, after)]
            return


def _one(path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema, depth: int) -> Iterator[FieldChange]:
    if _choices(old) or _choices(new):
        yield from _lost_choices(path, old, new)
    elif not _takes(new.get("type"), old.get("type")):
        yield _changed(path, old, new)
    else:
        yield from _constraints(path, old, new)
        yield from _parts(path, old, new, old_root, new_root, depth)


def _takes(new: Any, old: Any) -> bool:
    """Whether a JSON type takes the values of another."""
    return new is None or new == old or (new, old) == ("number", "integer")


def _lost_choices(path: str, old: Schema, new: Schema) -> Iterator[FieldChange]:
    lost = [each for each in _choices(old) if each not in _choices(new)]
    if _choices(new) and (lost or not _choices(old)):
        yield FieldChange(path, f"no longer takes {', '.join(map(repr, lost)) or 'every value'}", "restore it")


def _constraints(path: str, old: Schema, new: Schema) -> Iterator[FieldChange]:
    for word in (*_NARROWING, *_WIDENING, *_EXACT):
        if _tighter(word, old.get(word), new.get(word)):
            yield FieldChange(
                path, f"has another {word}: {_shown(old.get(word))} became {_shown(new.get(word))}", "restore it"
            )


def _parts(
    path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema, depth: int
) -> Iterator[FieldChange]:
    if new.get("type") == "object" and "properties" in new:
        yield from _objects(f"{path}.", old, new, old_root, new_root)
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(word), dict) and isinstance(new.get(word), dict):
            yield from _values(f"{path}{mark}", old[word], new[word], old_root, new_root, depth + 1)
    first, second = old.get("prefixItems", []), new.get("prefixItems", [])
    if len(first) != len(second):
        yield _changed(path, old, new)
    for i, (left, right) in enumerate(zip(first, second, strict=False)):
        yield from _values(f"{path}[{i}]", left, right, old_root, new_root, depth + 1)


def _choices(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _tighter(word: str, old: Any, new: Any) -> bool:
    if new is None or old == new:
        return False
    if old is None or word in _EXACT:
        return True
    return bool(new > old if word in _NARROWING else new < old)


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
