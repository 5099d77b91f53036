"""The tutorial works as a reader types it: files, and an interactive session."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, ROOT, Block, blocks_of

BLOCKS = blocks_of(DOCS / "tutorial.md")


def _named(title: str) -> str:
    return "\n\n".join(block.text for block in BLOCKS if block.title == title)


def _is_typed(block: Block) -> bool:
    return block.language == "python" and block.title is None


def test_an_interactive_session_prints_what_the_tutorial_shows(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(_named("bank.py"), encoding="utf-8")
    typed = "\n\n".join(block.text for block in BLOCKS if _is_typed(block)) + "\n"
    pairs = itertools.pairwise(BLOCKS)
    shown = "".join(after.text for before, after in pairs if _is_typed(before) and after.language == "text")

    session = subprocess.run(
        [sys.executable, "-q", "-i", "bank.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in session.stderr
    assert session.stdout == shown
