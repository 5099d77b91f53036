"""What Maven knows by name: a folder out of an archive, or jars with all that they need.

Fetched once, kept in the cache, and checked before each use.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

FETCH_SECONDS = 1800.0
COMPLETE = "complete.json"


class CannotFetchError(Exception):
    """The archive cannot be had; the message says why."""


def cache_folder() -> Path:
    """Where downloads are kept: outside the repository, so that `make clean` leaves them."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventfold"


def folder_of(artifact: str, inner: str, name: str) -> Path:
    """A folder out of an archive. The first one to ask fetches it, whoever asks meanwhile waits.

    Args:
        artifact: as `group:name:version:type`.
        inner: the folder's name within the archive's one top folder; "" for that itself.
        name: what it is called in the cache.

    Raises:
        CannotFetchError: it cannot be fetched.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = cache / name
    with locked(cache / f"{name}.lock"):
        if not is_complete(chosen):
            shutil.rmtree(chosen, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=cache) as made:
                archive = _fetch(artifact, Path(made) / "repository")
                extract(archive, inner, Path(made) / "whole")
                (Path(made) / "whole").rename(chosen)
    return chosen


def jars_of(name: str, artifacts: Sequence[str]) -> Path:
    """A folder with the jars of some artifacts and of all that they need.

    Args:
        name: what it is called in the cache.
        artifacts: as `group:name:version` each.

    Raises:
        CannotFetchError: they cannot be fetched.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = cache / name
    with locked(cache / f"{name}.lock"):
        if not is_complete(chosen):
            shutil.rmtree(chosen, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=cache) as made:
                whole = Path(made) / "whole"
                _copy_jars(artifacts, Path(made), whole)
                sizes = {each.name: each.stat().st_size for each in whole.glob("*.jar")}
                (whole / COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")
                whole.rename(chosen)
    return chosen


def is_complete(folder: Path) -> bool:
    """Whether every file is there with the size that it had in the archive."""
    try:
        sizes: dict[str, int] = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        return all((folder / path).stat().st_size == size for path, size in sizes.items())
    except (OSError, ValueError):
        return False


def extract(archive: Path, inner: str, to: Path) -> None:
    """Takes one folder out of an archive, and writes down what belongs to it. Each file is checked by its checksum."""
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = PurePosixPath(entry.filename)
            within = path.parts[1:] if not inner else path.parts[2:]
            if entry.is_dir() or not within or (inner and path.parts[1] != inner):
                continue
            target = to.joinpath(*within)
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            target.chmod(0o755 if entry.external_attr >> 16 & 0o100 else 0o644)
            sizes["/".join(within)] = entry.file_size
    if not sizes:
        raise CannotFetchError(f"{archive.name} has no folder {inner!r}")
    (to / COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")


def _copy_jars(artifacts: Sequence[str], made: Path, to: Path) -> None:
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in (each.split(":") for each in artifacts)
    )
    pom = made / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>eventfold</groupId><artifactId>tests</artifactId>"
        f"<version>1</version><packaging>pom</packaging><dependencies>{wanted}</dependencies></project>",
        encoding="utf-8",
    )
    _maven(
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={to}",
        f"-Dmaven.repo.local={made / 'repository'}",
        "-f",
        str(pom),
        what=" and ".join(artifacts),
    )


def _fetch(artifact: str, repository: Path) -> Path:
    """Fetches an archive into a repository of its own, which goes away with what is not needed of it."""
    _maven(
        "dependency:get",
        "-Dtransitive=false",
        f"-Dmaven.repo.local={repository}",
        f"-Dartifact={artifact}",
        what=artifact,
    )
    group, name, version, kind = artifact.split(":")
    found = repository.joinpath(*group.split("."), name, version, f"{name}-{version}.{kind}")
    if not found.is_file():
        raise CannotFetchError(f"mvn has not fetched {artifact}")
    return found


def _maven(*arguments: str, what: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotFetchError(f"{what} is fetched by Maven, and there is no `mvn`")
    try:
        ran = subprocess.run(
            [maven, "-B", "-q", *arguments], capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetchError(f"{what} did not come within {FETCH_SECONDS:g} s") from error
    if ran.returncode != 0:
        raise CannotFetchError(f"mvn cannot fetch {what}: {(ran.stdout + ran.stderr).strip()[-1000:]}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
