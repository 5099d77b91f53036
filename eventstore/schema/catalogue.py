"""The catalogue of events for people and for other programs: Markdown, JSON Schema, AsyncAPI 3."""

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from eventstore.event import Event, aliases_of, event_type, schema_version, upcasters_of
from eventstore.schema.compare import describe
from eventstore.schema.json_schema import Schema, json_schema
from eventstore.schema.shape import flat, resolve, shape_of


def as_markdown(title: str, classes: Sequence[type[Event]]) -> str:
    """A page with a section for each event."""
    sections = [_section(cls) for cls in _sorted(classes)]
    return "\n\n".join([f"# Events of {title}", *sections])


def as_json_schema(title: str, classes: Sequence[type[Event]]) -> str:
    """One JSON Schema (2020-12) with a definition for each event, by its type's name."""
    definitions = _definitions(classes, "#/$defs/{name}")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Events of {title}",
        "anyOf": [{"$ref": f"#/$defs/{_key(event_type(cls))}"} for cls in _sorted(classes)],
        "$defs": definitions,
    }
    return _pretty(document)


def as_asyncapi(title: str, classes: Sequence[type[Event]]) -> str:
    """An AsyncAPI 3 document: one channel, the log, that an application sends each event to."""
    names = {event_type(cls): _key(event_type(cls)) for cls in _sorted(classes)}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": f"Events of {title}", "version": "1"},
        "defaultContentType": "application/json",
        "channels": {
            "log": {
                "address": "log",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in names.values()},
            }
        },
        "operations": {
            "append": {
                "action": "send",
                "channel": {"$ref": "#/channels/log"},
                "messages": [{"$ref": f"#/channels/log/messages/{key}"} for key in names.values()],
            }
        },
        "components": {
            "messages": {_key(event_type(cls)): _message(cls) for cls in _sorted(classes)},
            "schemas": _definitions(classes, "#/components/schemas/{name}"),
        },
    }
    return _pretty(document)


def _message(cls: type[Event]) -> dict[str, Any]:
    name, example = event_type(cls), shape_of(cls).example
    return {
        "name": name,
        "title": f"{name} {schema_version(cls)}",
        **({"summary": _said_of(cls).partition("\n")[0]} if _said_of(cls) else {}),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{_key(name)}"},
        **({} if example is None else {"examples": [{"name": "example", "payload": example}]}),
    }


def _definitions(classes: Sequence[type[Event]], template: str) -> dict[str, Any]:
    """The schemas of all events, and of what they refer to; two Structs of one name are told apart by msgspec."""
    ordered = _sorted(classes)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=template)
    found = {_key(name): schema for name, schema in components.items()}
    for cls, schema in zip(ordered, schemas, strict=True):
        inner = components.get(str(schema.get("$ref", "")).rpartition("/")[2])
        found[_key(event_type(cls))] = inner if inner is not None else schema
    return found


def _section(cls: type[Event]) -> str:
    schema = flat(json_schema(cls))
    lines = [f"## {event_type(cls)}", "", f"Version {schema_version(cls)}."]
    if aliases_of(cls):
        lines[-1] += f" Also stored as {', '.join(aliases_of(cls))}."
    lines += meaning_and_fields(cls, schema)
    if upcasters_of(cls):
        lines += ["", "| upcaster | reads | |", "|---|---|---|"]
        lines += [f"| `{each.name}` | {each.step} | {_first(each.__doc__)} |" for each in upcasters_of(cls)]
    return "\n".join(lines + block_of(shape_of(cls).example))


def meaning_and_fields(cls: type[msgspec.Struct], schema: Schema) -> list[str]:
    """Lines of Markdown: the docstring of a class of events or messages, and a table of its fields.

    Args:
        cls: the class.
        schema: of it, flat.
    """
    lines = ["", said] if (said := _said_of(cls)) else []
    if schema.get("properties"):
        lines += ["", "| field | type | default |", "|---|---|---|"]
        lines += [_field(name, each, schema) for name, each in schema["properties"].items()]
    return lines


def block_of(example: Any) -> list[str]:
    """Lines of Markdown: an example; none where there is None."""
    return [] if example is None else ["", "```json", _pretty(example), "```"]


def _field(name: str, declared: Any, root: Schema) -> str:
    shown = describe(declared if "$ref" in declared else resolve(declared, root)).replace("|", "\\|")
    default = f"`{msgspec.json.encode(declared['default']).decode()}`" if "default" in declared else ""
    return f"| `{name}` | {shown} | {default or ('required' if name in root.get('required', []) else '')} |"


def _said_of(cls: type[msgspec.Struct]) -> str:
    return inspect.cleandoc(vars(cls).get("__doc__") or "")


def _first(text: str | None) -> str:
    return inspect.cleandoc(text or "").partition("\n")[0]


def _key(name: str) -> str:
    """A name as keys of components may be."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name)


def _sorted(classes: Sequence[type[Event]]) -> list[type[Event]]:
    return sorted(classes, key=event_type)


def _pretty(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
