"""Completion, as bash asks for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventfold.cli.conftest import ROOT, Cli

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")

COMPLETE = """\
eval "$(eventfold --show-completion bash)"
COMP_WORDS=(eventfold {words})
COMP_CWORD={at}
_eventfold_completion eventfold
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(cli: Cli, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    executable = folder / "eventfold"
    executable.write_text(f'#!/bin/sh\nexec {sys.executable} -m eventfold "$@"\n', encoding="utf-8")
    executable.chmod(0o755)
    script = COMPLETE.format(words=" ".join(words) or "''", at=len(words))
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **cli.environment, "PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_the_names_of_the_application(cli: Cli, tmp_path: Path) -> None:
    assert completed(cli, tmp_path, "projec") == ["projections"]
    assert completed(cli, tmp_path, "query", "--fr") == ["--fresh"]
    assert completed(cli, tmp_path, "projections", "rebuild", "o") == ["orders"]
    assert completed(cli, tmp_path, "dispatch", "Open") == ["OpenOrder"]


def test_nothing_is_said_where_there_is_no_application(cli: Cli, tmp_path: Path) -> None:
    cli.environment["EVENTFOLD_APP"] = "no_such_module:app"

    assert completed(cli, tmp_path, "dispatch", "Open") == []
