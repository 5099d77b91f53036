"""The words of a JSON Schema that say which values of a type are allowed: lengths, bounds, patterns, formats."""

from typing import Any

from eventstore.schema.json_schema import Schema

_BOUNDS = (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1))
_NARROWING = ("minLength", "minItems", "minProperties")
_WIDENING = ("maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "contentEncoding", "x-timezone")


def tighter_words(old: Schema, new: Schema) -> list[str]:
    """Those by which a newer schema excludes what an older one allowed."""
    words = [word for word in (*_NARROWING, *_WIDENING, *_EXACT) if _tighter(word, old.get(word), new.get(word))]
    words += [tighter for bound in _BOUNDS if (tighter := _tighter_bound(*bound, old, new))]
    step, before = new.get("multipleOf"), old.get("multipleOf")
    return words + (["multipleOf"] if step is not None and (before is None or before % step) else [])


def _tighter(word: str, old: Any, new: Any) -> bool:
    if new is None or old == new:
        return False
    if old is None or word in _EXACT:
        return True
    return bool(new > old if word in _NARROWING else new < old)


def _tighter_bound(inclusive: str, exclusive: str, sign: int, old: Schema, new: Schema) -> str | None:
    """Which of the two words excludes what the older shape allowed; of whole numbers, > 4 is >= 5."""

    def bound(schema: Schema) -> tuple[Any, bool] | None:
        if exclusive not in schema:
            return (sign * schema[inclusive], False) if inclusive in schema else None
        whole = schema.get("type") == "integer"
        return sign * schema[exclusive] + whole, not whole

    before, after = bound(old), bound(new)
    if after is None or (before is not None and after <= before):
        return None
    return exclusive if exclusive in new else inclusive
