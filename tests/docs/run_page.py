"""Runs a page as a reader would: its blocks from top to bottom, in one folder and one namespace.

- `python` is executed. With a title it is also written to the file of that name, as the next part of it; a file whose name
  begins with `test_` is handed to pytest instead.
- `sh` is run by a shell, and each command must succeed.
- `text` is what the block before it prints. A block that prints must be followed by one.
"""

import contextlib
import io
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks_of

EVENTFOLD = f"""eventfold() {{ {sys.executable} -c 'from eventfold.cli import main; main()' "$@"; }}"""
"""The command, whether or not the package is installed."""


def run_page(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the blocks; the current folder is where files go."""
    blocks = blocks_of(page)
    titles = [block.title.removesuffix(".py") for block in blocks if block.title and _is_module(block)]
    module = types.ModuleType(titles[0] if titles else f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for i, block in enumerate(blocks):
        printed = _run(block, page, module)
        if printed is not None:
            following = blocks[i + 1] if i + 1 < len(blocks) else None
            shown = following.text if following is not None and following.language == "text" else ""
            assert _trimmed(printed) == _trimmed(shown), f"{page.name}, line {block.line}: this is not what it prints"


def _is_module(block: Block) -> bool:
    return block.language == "python" and not str(block.title).startswith("test_")


def _run(block: Block, page: Path, module: types.ModuleType) -> str | None:
    if block.title is not None:
        with Path(block.title).open("a", encoding="utf-8") as file:
            file.write(block.text + "\n")
    if block.language == "sh":
        return _run_command(f"set -e\n{EVENTFOLD}\n{block.text}")
    if block.language != "python":
        return None
    if not _is_module(block):
        _run_command(f"{sys.executable} -m pytest -q -p no:cacheprovider {block.title}")
        return ""
    printed = io.StringIO()
    source = "\n" * (block.line - 1) + block.text  # so that a traceback shows the page's own line
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(page), "exec"), vars(module))  # noqa: S102 - the page is ours
    return printed.getvalue()


def _run_command(script: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path.cwd()}", "COLUMNS": "120"}
    ran = subprocess.run(script, shell=True, env=environment, capture_output=True, text=True, check=False)  # noqa: S602 - the page is ours
    assert ran.returncode == 0, f"{script}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
