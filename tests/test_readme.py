"""The README says only what is true."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    # given the README's example as a script of its own
    (example,), (expected,) = blocks("python"), blocks("text")
    script = tmp_path / "bank.py"
    script.write_text(example, encoding="utf-8")
    # when it is run in an empty folder
    ran = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    # then its output is the one shown
    assert ran.stderr == ""
    assert ran.stdout == expected


def test_the_example_is_about_forty_lines() -> None:
    (example,) = blocks("python")
    assert 35 <= len([line for line in example.splitlines() if line.strip()]) <= 50


def test_every_make_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE))
    assert {"demo", "test", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https://)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
