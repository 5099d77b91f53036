"""Each example's own tests pass where a reader would run them: in a process of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = sorted(each.parent.name for each in ROOT.glob("examples/*/__init__.py"))


def test_every_story_has_tests_of_its_own() -> None:
    assert {"bank", "cdnow", "courses"} <= set(STORIES)
    assert [each for each in STORIES if not list((ROOT / "examples" / each).glob("test_*.py"))] == []


@pytest.mark.parametrize("story", STORIES)
def test_the_tests_of_a_story_pass(story: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{story}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
