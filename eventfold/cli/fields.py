"""Values as they are typed, turned into what a field's declared type expects."""

from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

import msgspec

from eventfold.cli.session import usage_error


def read_fields(pairs: Iterable[str], declared: type[msgspec.Struct]) -> dict[str, Any]:
    """`field=value` texts as decoded JSON, each by its field's type. Whether they fit is for `read_command` to say."""
    hints = get_type_hints(declared, include_extras=True)
    types = {each.encode_name: hints[each.name] for each in msgspec.structs.fields(declared)}
    return {name: read_value(text, types.get(name, Any)) for name, text in split_pairs(pairs)}


def read_metadata(pairs: Iterable[str]) -> dict[str, Any]:
    """`key=value` texts; a value that is JSON is taken as that, any other as text."""
    return {key: _json_or_text(text) for key, text in split_pairs(pairs)}


def split_pairs(pairs: Iterable[str]) -> list[tuple[str, str]]:
    """`name=value` texts as names and values; a name may be given once."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            usage_error(f"expected field=value, got {pair!r}")
        if name in found:
            usage_error(f"{name} is given twice")
        found[name] = text
    return list(found.items())


def read_value(text: str, declared: Any) -> Any:
    """A text as the declared type has it in JSON; the text itself, or the JSON in it, where it does not fit."""
    try:
        return msgspec.to_builtins(msgspec.convert(text, declared, strict=False))
    except msgspec.ValidationError as error:
        wants_text = str(error).startswith(("Expected `str`", "Invalid enum value '"))  # its values are texts
        return text if wants_text else _json_or_text(text)


def read_object(text: str) -> Mapping[str, Any]:
    """A JSON object."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        usage_error(f"--json: expected a JSON object, got {text[:60]!r}: {error}")
    if not isinstance(found, dict):
        usage_error(f"--json: expected a JSON object, got {text[:60]!r}")
    return found


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
