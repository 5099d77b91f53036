"""How the command starts: at once where it can, and never so that Ctrl-C shows what it was doing."""

import subprocess
import sys

import pytest

from tests.eventfold.cli.conftest import ROOT, Cli

INTERRUPTED_AT = """
import signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["eventfold", "status"]
from eventfold.cli import main
main()
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["eventfold.cli.root", "typer", "sqlalchemy", "eventstore.store", "examples.cdnow"])
def test_when_it_is_interrupted_while_it_starts_then_it_says_so_in_a_word(module: str) -> None:
    ended = run("-c", INTERRUPTED_AT.format(module=module))

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "interrupted\n")


def test_its_version_is_printed_without_importing_anything_else(cli: Cli) -> None:
    imported = "from eventfold.cli import main; import sys; sys.argv = ['', '--version']; main(); print(*sys.modules)"

    version, modules = run("-c", imported).stdout.splitlines()

    assert f"{version}\n" == cli("--version").stdout
    assert not {"sqlalchemy", "msgspec", "typer", "eventstore"} & set(modules.split())


def test_no_command_waits_for_what_only_sessions_need() -> None:
    assert run("-c", "import eventfold.cli.root, sys; print('sqlalchemy.orm' in sys.modules)").stdout == "False\n"
