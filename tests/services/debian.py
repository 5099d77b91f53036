"""The files of a Debian package and of what it needs, without installing anything: fetched once, kept in the cache."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.services.maven import COMPLETE, CannotFetchError, cache_folder, is_complete, locked

FETCH_SECONDS = 600.0


def folder_of(package: str) -> Path:
    """A folder with the package's files, and those of the packages that it needs and that are not installed.

    The first one to ask fetches them, whoever asks meanwhile waits.

    Raises:
        CannotFetchError: they cannot be fetched.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = cache / f"debian-{package}"
    with locked(cache / f"debian-{package}.lock"):
        if not is_complete(chosen):
            shutil.rmtree(chosen, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f"debian-{package}-", dir=cache) as made:
                archives = _fetch(package, Path(made))
                _unpack(archives, Path(made) / "whole")
                (Path(made) / "whole").rename(chosen)
    return chosen


def libraries_of(unpacked: Path) -> str:
    """Where its shared libraries are, for LD_LIBRARY_PATH."""
    return ":".join(sorted({str(each.parent) for each in unpacked.glob("usr/lib/*-linux-*/*.so.*")}))


def _fetch(package: str, made: Path) -> list[Path]:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CannotFetchError(f"{package} is fetched by apt, and there is no `apt-get` here")
    (made / "archives" / "partial").mkdir(parents=True)
    (made / "lists" / "partial").mkdir(parents=True)
    options = [
        *("-q", "-y", "--no-install-recommends"),
        *("-o", f"Dir::Cache::archives={made / 'archives'}"),
        *("-o", "Debug::NoLocking=1"),  # nothing of the system is changed, so that no rights are needed
        *("-o", "APT::Sandbox::User=root"),  # the folder may be closed to apt's own user
    ]
    ours = ["-o", f"Dir::State::lists={made / 'lists'}"]
    download = ["apt-get", *options, "--download-only", "install", package]
    if _run(download).returncode != 0:  # the system's lists of packages may be missing, or old
        _run(["apt-get", *options, *ours, "update"])
        ran = _run([*download, *ours])
        if ran.returncode != 0:
            raise CannotFetchError(f"apt-get cannot fetch {package}: {(ran.stdout + ran.stderr).strip()[-1000:]}")
    return sorted((made / "archives").glob("*.deb"))


def _unpack(archives: list[Path], to: Path) -> None:
    to.mkdir()
    for archive in archives:
        ran = _run(["dpkg-deb", "-x", str(archive), str(to)])
        if ran.returncode != 0:
            raise CannotFetchError(f"{archive.name} cannot be unpacked: {ran.stderr.strip()}")
    files = [each for each in to.rglob("*") if each.is_file() and not each.is_symlink()]
    sizes = {str(each.relative_to(to)): each.stat().st_size for each in files}
    (to / COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotFetchError(f"{command[0]} did not end within {FETCH_SECONDS:g} s") from error
