"""Every row of the guarantees names a test that there is."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

ROWS = [
    line
    for line in (DOCS / "reference/guarantees.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| guarantee ")
]


def named_in(row: str) -> list[tuple[str, str]]:
    return re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_a_guarantee_names_tests_that_there_are(row: str) -> None:
    named = named_in(row)
    assert named, "name the test that shows it, as `file.py::test_name`"
    for path, name in named:
        file: Path = ROOT / path
        assert file.is_file(), path
        assert re.search(rf"def {name}\(", file.read_text(encoding="utf-8")), f"{path} has no {name}"


def test_every_port_has_guarantees() -> None:
    page = (DOCS / "reference/guarantees.md").read_text(encoding="utf-8")
    ports = re.findall(r"^## (\w[\w ]*)$", page, flags=re.MULTILINE)
    assert ports == [
        "Ordering",
        "Append",
        "Commands",
        "Messages for others",
        "Brokers",
        "Inbox",
        "Delivery",
        "Snapshots",
        "History",
        "Copy",
        "Read model",
        "Inline read models",
        "Rebuild",
        "Input",
        "Crash",
    ]
    for section in page.split("\n## ")[1:]:
        assert named_in(section), section.partition("\n")[0]
