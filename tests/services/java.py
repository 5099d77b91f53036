"""Finds a Java among the installed ones."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

HOMES = Path("/usr/lib/jvm")


def find_java(least: int, most: int) -> Path | None:
    """The home of the newest installed Java whose major version lies between these."""
    found = {home.resolve(): _major(home) for home in _homes()}
    fitting = [(major, home) for home, major in found.items() if least <= major <= most]
    return max(fitting)[1] if fitting else None


def _homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path).resolve().parents[1]
    yield from HOMES.glob("*")


def _major(home: Path) -> int:
    """As its `release` file says; 0 where there is none, or no program."""
    release = home / "release"
    if not (home / "bin" / "java").is_file() or not release.is_file():
        return 0
    version = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(errors="replace"), re.MULTILINE)
    return int(version[1]) if version else 0
