"""Which application a program works on, and how it is found.

1. The name that was given: `--app package.module:attribute`.
2. The environment variable EVENTFOLD_APP.
3. `app` under `[tool.eventfold]` in the nearest pyproject.toml that has it, from the working directory upwards.

The database is the one that the application's code names, unless `--database` or EVENTFOLD_DATABASE names another.
"""

import importlib
import os
import sys
import tomllib
import traceback
from pathlib import Path
from typing import Any

import msgspec

from eventfold.application import Application
from eventfold.async_application import AsyncApplication
from eventfold.errors import ApplicationNotFound

APP_VARIABLE = "EVENTFOLD_APP"
DATABASE_VARIABLE = "EVENTFOLD_DATABASE"


class ApplicationName(msgspec.Struct, frozen=True):
    """Where an application is.

    Attributes:
        text: `package.module:attribute`.
        source: who says so, for errors.
        folders: where the module is looked for before the installed packages.
    """

    text: str
    source: str
    folders: tuple[Path, ...]


def find_application(given: str | None = None, start: Path | None = None) -> ApplicationName:
    """The name of the application to work on; see the module for the order.

    Args:
        given: the name that was given outright.
        start: where the search for a pyproject.toml begins; by default the working directory.

    Raises:
        ApplicationNotFound: nothing names one, or a pyproject.toml on the way cannot be read.
    """
    start = (start or Path.cwd()).resolve()
    named = given or os.environ.get(APP_VARIABLE)
    if named:
        return ApplicationName(named, "--app" if given else APP_VARIABLE, (start, *_project(start)[:1]))
    for folder in _project(start):
        if (text := _declared(folder / "pyproject.toml")) is not None:
            return ApplicationName(text, f"[tool.eventfold] in {folder / 'pyproject.toml'}", (folder,))
    raise ApplicationNotFound(
        f"no application is named: give --app module:attribute, set {APP_VARIABLE}, or write app = "
        '"module:attribute" under [tool.eventfold] in pyproject.toml (`eventfold init` makes a project that has it)'
    )


def load_application(name: ApplicationName) -> Application | AsyncApplication:
    """Imports the module and returns the application in it.

    Raises:
        ApplicationNotFound: there is no such module or attribute, importing it fails, or it is something else.
    """
    return expect_application(name, load_declared(name))


def expect_application(
    name: ApplicationName, found: object, expected: str = "an Application"
) -> Application | AsyncApplication:
    """What was found under a name, where it is an application.

    Args:
        name: where it was looked for.
        found: what was there.
        expected: what could have been there, for the error.

    Raises:
        ApplicationNotFound: it is something else.
    """
    if not isinstance(found, Application | AsyncApplication):
        raise ApplicationNotFound(f"{_where(name)}: expected {expected}, got {type(found).__name__}")
    return found


def load_declared(name: ApplicationName) -> Any:
    """Imports the module and returns what it has under the name.

    Raises:
        ApplicationNotFound: there is no such module or attribute, or importing it fails.
    """
    module_name, colon, attribute = name.text.partition(":")
    where = _where(name)
    if not colon or not module_name or not attribute:
        raise ApplicationNotFound(f"{where}: expected module:attribute, as in bank.app:app")
    for folder in reversed(name.folders):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    found: Any = _import(module_name, where, name.folders)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ApplicationNotFound(f"{where}: {module_name} has no {attribute!r}{_instead(found)}")
        found = getattr(found, part)
    return found


def _where(name: ApplicationName) -> str:
    return f"{name.source}: {name.text!r}"


def _import(module: str, where: str, folders: tuple[Path, ...]) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _is_or_contains(error.name, module):
            looked = ", ".join(str(folder) for folder in folders)
            raise ApplicationNotFound(f"{where}: there is no module {error.name} (looked in {looked})") from error
        last = traceback.format_exception_only(error)[-1].strip()
        raise ApplicationNotFound(f"{where}: importing {module} failed{_place(error)}: {last}") from error


def _is_or_contains(name: str | None, module: str) -> bool:
    return name is not None and f"{module}.".startswith(f"{name}.")


def _place(error: Exception) -> str:
    """The last line of the user's own code that the error went through."""
    own = Path(__file__).parents[1]
    rooms = [own / room for room in ("eventstore", "commands", "projections", "eventfold")]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen")
        and not any(Path(frame.filename).is_relative_to(room) for room in rooms)
        and "importlib" not in Path(frame.filename).parts
    ]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _instead(module: Any) -> str:
    names = [key for key, value in vars(module).items() if isinstance(value, Application | AsyncApplication)]
    return f" (it has {', '.join(names)})" if names else " (it has no Application at all)"


def _project(start: Path) -> list[Path]:
    """The folders with a pyproject.toml, from the nearest upwards."""
    return [folder for folder in (start, *start.parents) if (folder / "pyproject.toml").is_file()]


def _declared(file: Path) -> str | None:
    try:
        tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ApplicationNotFound(f"{file}: cannot be read: {error}") from error
    declared = tools.get("eventfold", {}).get("app")
    if declared is not None and not isinstance(declared, str):
        raise ApplicationNotFound(f"{file}: [tool.eventfold] app: expected text, got {declared!r}")
    return declared
