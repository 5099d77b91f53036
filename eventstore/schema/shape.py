"""The shape of an event: its JSON Schema, a fingerprint of it, and an example made from it."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from eventstore.encoding import decoder_of
from eventstore.event import Event
from eventstore.schema.json_schema import Schema, json_schema

_WORDS = {"title", "description"}
_NAMES = {"properties", "$defs"}
_EXAMPLES = {
    "date-time": "2024-02-29T12:30:00Z",
    "date": "2024-02-29",
    "time": "12:30:00",
    "duration": "PT1H",
    "uuid": "018f3c5e-7b0a-7c3d-9e2f-1a2b3c4d5e6f",
    "decimal": "1.50",
}
MAX_EXAMPLE_DEPTH = 6
"""How deep an example goes into a shape that may refer to itself."""

_BASE64 = "ZXhhbXBsZQ=="


class Shape(msgspec.Struct, frozen=True):
    """A shape that an event type had at one of its versions.

    Attributes:
        fingerprint: of the schema.
        schema: the JSON Schema.
        example: an event of this shape; None where none could be made up, until somebody writes one into the lock.
    """

    fingerprint: str
    schema: Schema
    example: dict[str, Any] | None


def shape_of(cls: type[Event]) -> Shape:
    """The present shape of an event class."""
    schema = flat(json_schema(cls))
    return Shape(fingerprint_of(schema), schema, readable_example(schema, decoder_of(cls)))


def readable_example(schema: Schema, decode: Callable[[bytes], Any]) -> Any:
    """An example that can be read; None where none could be made up."""
    example = example_of(schema, schema)
    try:
        decode(msgspec.json.encode(example))
    except (msgspec.DecodeError, ValueError):  # a pattern, or a rule of the class's own
        return None
    return example


def flat(schema: Schema) -> Schema:
    """The schema with the event's own object at the top, and without words that change no shape."""
    top = dict(_plain(schema))
    definitions = top.pop("$defs", {})
    name = str(top.get("$ref", "")).rpartition("/")[2]
    found = dict(definitions.get(name, top))
    others = {key: each for key, each in definitions.items() if key != name or f"#/$defs/{name}" in _text(found)}
    return found | ({"$defs": others} if others else {})


def fingerprint_of(schema: Schema) -> str:
    """Changes with anything in the schema."""
    return hashlib.sha256(_text(schema).encode()).hexdigest()[:16]


def resolve(schema: Any, root: Schema) -> Schema:
    """What a reference stands for; the schema itself where it is none."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        schema = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
    return dict(schema) if isinstance(schema, Mapping) else {}


def example_of(schema: Any, root: Schema, depth: int = 0) -> Any:
    """A value that fits the schema, the same one every time."""
    if depth and isinstance(schema, Mapping) and "default" in schema:
        return schema["default"]
    found = resolve(schema, root)
    if "const" in found or "enum" in found:
        return found.get("const", found.get("enum", [None])[0])
    if "anyOf" in found:
        options = [each for each in found["anyOf"] if resolve(each, root).get("type") != "null"]
        return example_of(options[0], root, depth + 1) if options and depth < MAX_EXAMPLE_DEPTH else None
    kind = found.get("type")
    if kind == "object":
        names = found.get("properties", {})
        wanted = names if depth < MAX_EXAMPLE_DEPTH else found.get("required", [])
        return {name: example_of(names[name], root, depth + 1) for name in wanted}
    if kind == "array":
        return _array_example(found, root, depth)
    if kind in {"integer", "number"}:
        return _number_example(found)
    return {"string": _text_example(found), "boolean": True}.get(str(kind))


def _array_example(schema: Schema, root: Schema, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [example_of(each, root, depth + 1) for each in schema["prefixItems"]]
    least = 1 if depth < MAX_EXAMPLE_DEPTH else 0
    return [example_of(schema.get("items"), root, depth + 1)] * max(least, schema.get("minItems", 0))


def _text_example(schema: Schema) -> str:
    if schema.get("contentEncoding") == "base64":
        return _BASE64
    made = _EXAMPLES.get(str(schema.get("format")), "example")
    made = made.ljust(schema.get("minLength", 0), "x")
    return made[: schema["maxLength"]] if "maxLength" in schema else made


def _number_example(schema: Schema) -> float:
    step: float = schema.get("multipleOf", 1)
    least: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    most: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is not None:
        lowest = least if "minimum" in schema else least + step
        if most is not None and (lowest > most or (lowest == most and "maximum" not in schema)):
            return (least + most) / 2  # no whole step fits in between, as in a rate from 0 to 1
        return -(-lowest // step) * step if isinstance(lowest, int) and isinstance(step, int) else lowest
    if most is not None:
        return min(step, most if "maximum" in schema else most - step)
    return step


def _plain(value: Any, *, named: bool = False) -> Any:
    """Without words for people; `named` says that the keys are names of fields, which stay, as values do."""
    if isinstance(value, Mapping):
        return {
            key: each if key == "default" and not named else _plain(each, named=key in _NAMES and not named)
            for key, each in value.items()
            if named or key not in _WORDS
        }
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
