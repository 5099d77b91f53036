"""The pages of the documentation, and what stands in their fenced blocks."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """A fenced block and where it begins."""

    language: str
    title: str | None
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    source = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["title"], found["text"], source.count("\n", 0, found.start()) + 2)
        for found in FENCE.finditer(source)
    ]


def pages_with(language: str) -> list[Path]:
    return [page for page in sorted(DOCS.rglob("*.md")) if any(block.language == language for block in blocks_of(page))]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()
