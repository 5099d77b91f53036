"""The JSON Schema of a class of events or messages, with what msgspec leaves out of it."""

from typing import Any, TypeAlias

import msgspec
import msgspec.inspect as kinds

Schema: TypeAlias = dict[str, Any]

_LISTS = (kinds.ListType, kinds.SetType, kinds.FrozenSetType, kinds.VarTupleType)
_OBJECTS = (kinds.StructType, kinds.DataclassType, kinds.TypedDictType, kinds.NamedTupleType)
_INSTANTS = (kinds.DateTimeType, kinds.TimeType)
_KEYS: dict[type, str] = {
    kinds.IntType: "integer",
    kinds.FloatType: "number",
    kinds.DecimalType: "decimal",
    kinds.UUIDType: "uuid",
    kinds.DateType: "date",
    kinds.TimeType: "time",
    kinds.DateTimeType: "date-time",
    kinds.TimeDeltaType: "duration",
    kinds.BytesType: "base64",
}


def json_schema(cls: type[msgspec.Struct]) -> Schema:
    """The JSON Schema of a class of events or messages, with its docstrings.

    msgspec says nothing of the format of instants that may lack a time zone, and nothing of the keys of a map that are no
    plain text. Here such instants are `date-time` and `time`, too; `x-timezone` says whether they must have a zone, or must
    have none; `propertyNames` describes the keys.
    """
    schema = msgspec.json.schema(cls)
    _completed(schema, kinds.type_info(cls), schema["$defs"], set())
    return schema


def _completed(schema: Any, info: Any, definitions: Schema, done: set[str]) -> Any:
    """The part of a schema that was made of a type, completed; what it refers to is completed in place."""
    while isinstance(info, kinds.Metadata):
        info = info.type
    if not isinstance(schema, dict):
        return schema
    if isinstance(info, kinds.UnionType):
        return _completed_union(schema, info, definitions, done)
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        if name not in done:
            done.add(name)
            definitions[name].update(_completed_fields(definitions[name], info, definitions, done))
        return schema
    if isinstance(info, _INSTANTS):
        zone = {} if info.tz is None else {"x-timezone": info.tz}
        return {"format": _KEYS[type(info)], **schema, **zone}
    if isinstance(info, kinds.DictType):
        values = schema.get("additionalProperties")
        rule = _key_rule(info.key_type, schema.get("propertyNames", {}))
        inner = {"additionalProperties": _completed(values, info.value_type, definitions, done)} if values else {}
        return schema | inner | ({"propertyNames": rule} if rule else {})
    if isinstance(info, _LISTS) and "items" in schema:
        return schema | {"items": _completed(schema["items"], info.item_type, definitions, done)}
    if isinstance(info, kinds.TupleType):
        return schema | {"prefixItems": _each(schema.get("prefixItems", ()), info.item_types, definitions, done)}
    return schema


def _each(schemas: Any, infos: Any, definitions: Schema, done: set[str]) -> list[Any]:
    return [_completed(schema, info, definitions, done) for schema, info in zip(schemas, infos, strict=False)]


def _completed_fields(schema: Schema, info: Any, definitions: Schema, done: set[str]) -> Schema:
    """An object's own definition; one that stands for something else, such as an enum, is whole."""
    if not isinstance(info, _OBJECTS):
        return schema
    if "prefixItems" in schema:
        tag: list[Any] = [None] * (len(schema["prefixItems"]) - len(info.fields))
        places = [*tag, *(field.type for field in info.fields)]
        return {"prefixItems": _each(schema["prefixItems"], places, definitions, done)}
    types = {field.encode_name: field.type for field in info.fields}
    properties = {
        name: _completed(each, types[name], definitions, done) if name in types else each
        for name, each in schema.get("properties", {}).items()
    }
    return {"properties": properties} | ({"x-omit-defaults": True} if _omits_defaults(info.cls) else {})


def _omits_defaults(cls: Any) -> bool:
    config = getattr(getattr(cls, "__origin__", cls), "__struct_config__", None)
    return config is not None and config.omit_defaults


def _completed_union(schema: Schema, info: kinds.UnionType, definitions: Schema, done: set[str]) -> Any:
    """Of each JSON type a union has one member, except for objects that are told apart by a tag."""
    if "anyOf" in schema:
        return schema | {"anyOf": [_completed(each, info, definitions, done) for each in schema["anyOf"]]}
    found = definitions.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    members = [each.type if isinstance(each, kinds.Metadata) else each for each in info.types]
    member = next((each for each in members if _fits(each, found)), None)
    return schema if member is None else _completed(schema, member, definitions, done)


def _fits(info: Any, schema: Schema) -> bool:
    """Whether it is the member of a union that a schema was made of."""
    tag = getattr(info, "tag", None)
    fields = [*schema.get("properties", {}).values(), *schema.get("prefixItems", ())]
    tagged = tag is None or any(tag in each.get("enum", ()) for each in fields)
    return tagged and _json_type(info) == schema.get("type", "")


def _json_type(info: Any) -> str | None:
    """Whether a type stands for an array, an object or an instant; None for all others, which are whole."""
    if isinstance(info, (*_LISTS, kinds.TupleType, kinds.NamedTupleType)) or getattr(info, "array_like", False):
        return "array"
    if isinstance(info, (kinds.DictType, *_OBJECTS)):
        return "object"
    return "string" if isinstance(info, _INSTANTS) else None


def _key_rule(key: Any, rule: Schema) -> Schema:
    """What the keys of a map are, where they are not any text."""
    while isinstance(key, kinds.Metadata):
        key = key.type
    if isinstance(key, kinds.EnumType):
        return {"enum": sorted(str(each.value) for each in key.cls)}
    if isinstance(key, kinds.LiteralType):
        return {"enum": sorted(map(str, key.values))}
    if type(key) in _KEYS:
        return {"type": "string", "format": _KEYS[type(key)], **rule}
    if isinstance(key, kinds.UnionType):
        rules = [_key_rule(each, {}) for each in key.types]
        return {"anyOf": rules} if all(rules) else {}
    return {"type": "string", **rule} if rule else {}
