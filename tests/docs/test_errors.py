"""The page of the errors knows every one of them."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from eventfold import EventfoldError
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
ROOMS = ("eventstore", "commands", "projections", "eventfold")


def _tree(cls: type[EventfoldError]) -> Iterator[type[EventfoldError]]:
    yield cls
    for each in cls.__subclasses__():
        yield from _tree(each)


def _errors() -> list[type[EventfoldError]]:
    for room in ROOMS:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return sorted(
        {each for each in _tree(EventfoldError) if each.__module__.startswith(ROOMS)}, key=lambda each: each.__name__
    )


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_every_error_stands_on_the_page_with_its_code_and_status(error: type[EventfoldError]) -> None:
    words = [line.split() for line in PAGE.splitlines()]

    assert [error.__name__, str(error.status), error.code] in words
