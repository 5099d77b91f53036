"""Drafts an upcaster from two shapes: what can be known is written, and the rest is left to be filled in."""

from typing import Any

from eventstore.aggregate import snake_case
from eventstore.schema.compare import changes, describe
from eventstore.schema.json_schema import Schema
from eventstore.schema.shape import resolve


def draft(name: str, version: int, old: Schema, new: Schema) -> str:
    """A function under `@upcasts` from one shape towards the other, and the class that names it."""
    function = f"{snake_case(name)}_{version}_to_{version + 1}"
    lines = [
        "from eventfold import Event, JsonObject, upcasts",
        "",
        "",
        f'@upcasts("{name}", {version})',
        f"def {function}(data: JsonObject) -> JsonObject:",
        *(f"    {line}" for line in _body(old, new)),
        "    return data",
        "",
        "",
        f"class {name}(Event, version={version + 1}, upcasters=[{function}]):",
        "    ...",
    ]
    return "\n".join(lines)


def _body(old: Schema, new: Schema) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    gone = [each for each in before if each not in after]
    lines = []
    for field in (each for each in new.get("required", []) if each not in before):
        same = next((each for each in gone if _same(before[each], after[field])), None)
        if same is not None:
            gone.remove(same)
            lines.append(f'data["{field}"] = data.pop("{same}")  # renamed?')
        else:
            lines.append(f'data["{field}"] = ...  # {describe(resolve(after[field], new))}')
    used = [f'{each} = data.pop("{each}", None)  # gone: {describe(resolve(before[each], old))}' for each in gone]
    changed = dict.fromkeys(each.field.partition(".")[0].partition("[")[0] for each in changes(old, new))
    lines += [
        f'data["{each}"] = ...  # from {describe(resolve(before[each], old))} to {describe(resolve(after[each], new))}'
        for each in changed
        if each in before and each in after
    ]
    return [*used, *lines]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)
