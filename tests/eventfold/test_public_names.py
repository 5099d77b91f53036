"""The public names are there, and the trees of errors drawn in the docstrings are those of the classes."""

import inspect
import re
from types import ModuleType

import pytest

import commands.errors
import eventfold
import eventfold.errors
import eventstore.errors
import projections.errors
from eventfold import EventfoldError


@pytest.mark.parametrize("package", [eventfold, eventstore, commands, projections], ids=lambda each: each.__name__)
def test_every_public_name_exists_and_is_listed_once(package: ModuleType) -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    assert len(set(package.__all__)) == len(package.__all__)


def branches(cls: type[EventfoldError]) -> list[type[EventfoldError]]:
    """An error and all under it, as far as they are the rooms' own."""
    rooms = ("eventstore.", "commands.", "projections.", "eventfold.")
    own = [each for each in cls.__subclasses__() if each.__module__.startswith(rooms)]
    return [cls, *(branch for each in own for branch in branches(each))]


def test_every_error_of_the_tree_can_be_imported_from_eventfold() -> None:
    tree = branches(EventfoldError)

    assert len(tree) > 20
    assert [cls.__name__ for cls in tree if getattr(eventfold, cls.__name__, None) is not cls] == []
    assert {cls.__name__ for cls in tree} <= set(eventfold.__all__)


PLUMBING = {
    "AsyncBus",
    "Bus",
    "Engine",
    "HandlerMap",
    "enclose",
    "prune",
    "rebuild",
    "rollback",
    "status_of",
    "verify",
    "view_status",
}
"""What the application does for its users."""


@pytest.mark.parametrize("room", [eventstore, commands, projections], ids=lambda each: each.__name__)
def test_what_a_room_gives_its_users_can_be_imported_from_eventfold(room: ModuleType) -> None:
    given = set(room.__all__) - PLUMBING

    assert given <= set(eventfold.__all__)
    assert [name for name in given if getattr(eventfold, name) is not getattr(room, name)] == []


def drawn(module: ModuleType) -> dict[str, str]:
    """The errors of a docstring's tree, each with the one that it hangs from."""
    above: list[tuple[int, str]] = []
    found = {}
    for line in str(module.__doc__).splitlines():
        match = re.match(r"^([\s│├└─]*)([A-Z]\w+)(\s|$)", line)
        if match is None or (not above and match[2] != "EventfoldError"):
            continue
        depth = len(match[1])
        while above and above[-1][0] >= depth:
            above.pop()
        if above and re.search("[├└]", match[1]):
            said = re.search(r"\(an? (\w+)\)", line)
            found[match[2]] = said[1] if said else above[-1][1]
        if not above and found:
            break
        above.append((depth, match[2]))
    return found


@pytest.mark.parametrize(
    "module", [eventstore.errors, commands.errors, projections.errors, eventfold.errors], ids=lambda each: each.__name__
)
def test_the_tree_of_errors_in_the_docstring_is_that_of_the_classes(module: ModuleType) -> None:
    classes = {
        name: next(base.__name__ for base in cls.__mro__[1:] if issubclass(base, EventfoldError))
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and issubclass(cls, EventfoldError) and cls is not EventfoldError
    }
    assert drawn(module) == classes


@pytest.mark.parametrize("module", [eventstore.errors, commands.errors, projections.errors, eventfold.errors])
def test_every_error_has_a_code_of_its_own_and_a_status(module: ModuleType) -> None:
    for name, cls in inspect.getmembers(module, inspect.isclass):
        if issubclass(cls, EventfoldError):
            assert re.fullmatch(r"[a-z_]+", cls.code), name
            assert 400 <= cls.status < 600, name
