"""The Struct that events, commands and aggregates are made of."""

from typing import ClassVar

import msgspec
import pytest

from eventstore.frozen import FrozenMeta, options_of


class Base(msgspec.Struct, metaclass=FrozenMeta):
    __allowed_options__: ClassVar[frozenset[str]] = frozenset({"colour"})


class Red(Base, colour="red"):
    n: int = 0


class Child(Red, kw_only=True):
    m: int = 1


def test_a_subclass_is_frozen_without_saying_so() -> None:
    with pytest.raises(AttributeError):
        Red(1).n = 2  # type: ignore[misc]  # wrong on purpose
    assert Red(1) == Red(1)
    assert hash(Red(1)) == hash(Red(1))


def test_an_option_belongs_to_the_class_that_gave_it() -> None:
    assert options_of(Red) == {"colour": "red"}
    assert options_of(Child) == {}


def test_options_of_msgspec_pass_through() -> None:
    assert Child(n=1, m=2).m == 2
    with pytest.raises(TypeError):
        Child(1, 2)  # type: ignore[call-arg]  # wrong on purpose


def test_an_option_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="flavour"):

        class Sweet(Base, flavour="sweet"):
            pass
