"""The frozen Struct that events, commands and aggregates are made of."""

from collections.abc import Mapping
from typing import Any, dataclass_transform

import msgspec
from msgspec import StructMeta


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class FrozenMeta(StructMeta):
    """Makes every subclass a frozen msgspec Struct, and lets both type checkers know it.

    A base made with it repeats `dataclass_transform` on itself: mypy looks among a class's bases before it looks at the
    metaclass, and would find that of `msgspec.Struct`, which allows assignment.

    Class keywords that msgspec does not know are kept in `__options__`, where the declaring base reads them.
    """

    __options__: dict[str, Any]

    def __new__(  # noqa: D102 - documented by the class
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> "FrozenMeta":
        known = _allowed_options(bases)
        options = {key: keywords.pop(key) for key in list(keywords) if key in known}
        keywords.setdefault("frozen", True)
        cls = super().__new__(mcls, name, bases, namespace, **keywords)
        cls.__options__ = options
        if options:
            cls.__check_options__()
        return cls

    def __check_options__(cls) -> None:
        """Refuses keywords that make no sense, where the class is defined; the declaring base says what."""


def _allowed_options(bases: tuple[type, ...]) -> frozenset[str]:
    for base in bases:
        allowed: frozenset[str] | None = getattr(base, "__allowed_options__", None)
        if allowed is not None:
            return allowed
    return frozenset()


def options_of(cls: type) -> Mapping[str, Any]:
    """The class keywords given to `cls` itself, never inherited."""
    return getattr(cls, "__options__", {})
