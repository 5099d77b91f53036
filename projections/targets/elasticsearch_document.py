"""From a row to a document, and back."""

import hashlib
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any

import msgspec

from projections.model import Model
from projections.targets.elasticsearch_mapping import DELETED, IndexField, utc_text

MAX_ID_BYTES = 512
_encode = msgspec.json.Encoder().encode
TOMBSTONE = _encode({DELETED: True})


class Documents:
    """The documents of one model's rows.

    Args:
        model: of the rows.
        fields: how they are kept.
    """

    def __init__(self, model: Model, fields: list[IndexField]) -> None:
        self.fields = {field.name: field for field in fields}
        self._make = model.make
        self._read = [(field.source, field.read) for field in fields]
        self._write = [field for field in fields if field.write or field.companion]
        self._numbers = [attrgetter(each.name) for each in model.fields if each.type in {float, Decimal}]
        self._names = model.cls.__struct_fields__
        self._as_it_is = not self._write and _is_plain(model.cls)

    def encode(self, row: Any) -> bytes:
        """A row as JSON.

        Raises:
            ValueError: a value cannot be kept in an index.
        """
        for number_of in self._numbers:
            number = number_of(row)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"expected a finite number, got {number!r}")
        if self._as_it_is:
            return _encode(row)
        document = dict(zip(self._names, msgspec.structs.astuple(row), strict=True))
        for field in self._write:
            value = document[field.name]
            if value is None:
                continue
            if field.write is not None:
                document[field.name] = field.write(value)
            if field.companion is not None and field.exact is not None:
                document[field.exact] = field.companion(value)
        return _encode(document)

    def decode(self, source: Mapping[str, Any]) -> Any:
        """The row of a document."""
        get = source.get
        return self._make(*[None if (v := get(name)) is None else read(v) for name, read in self._read])


def id_of(key: Any) -> str:
    """The id of the document that holds the row under a key: the key itself, unless it cannot be an id.

    An id has 1 to 512 bytes. One that begins with "~" is a hash.
    """
    text = _text(key)
    encoded = text.encode(errors="surrogatepass")
    if 0 < len(encoded) <= MAX_ID_BYTES and not text.startswith("~"):
        return text
    return f"~{hashlib.sha256(encoded).hexdigest()}"


def _text(key: Any) -> str:
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, datetime):
        return utc_text(key)
    return key.isoformat() if isinstance(key, date) else str(key)


def _is_plain(cls: type[msgspec.Struct]) -> bool:
    """Whether msgspec writes a row as an object of all its fields under their own names."""
    config = cls.__struct_config__
    renamed = cls.__struct_encode_fields__ != cls.__struct_fields__
    return not (config.array_like or config.omit_defaults or config.tag is not None or renamed)
