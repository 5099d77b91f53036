"""User code is checked before it runs: both checkers accept what is right and find what is wrong, line by line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("typing")  # each worker would run the checkers for itself

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

COMMON = """
from typing import assert_never
from eventfold import Aggregate, Application, Command, Event, Recorded, Struct, handles, projection, replace

class Deposited(Event):
    amount: int

class Withdrawn(Event):
    amount: int

AccountEvent = Deposited | Withdrawn

class Account(Aggregate[AccountEvent]):
    balance: int = 0
    def evolve(self, event: AccountEvent) -> "Account":
        return replace(self, balance=self.balance + event.amount)

class Withdraw(Command):
    account_id: str
    amount: int

class Balance(Struct, frozen=True):
    account_id: str
    amount: int = 0

class Other(Struct, frozen=True):
    name: str

app = Application("memory://")
"""

MISTAKES = {
    "a case that is missing in an evolve": """
class Forgetful(Aggregate[AccountEvent]):
    balance: int = 0
    def evolve(self, event: AccountEvent) -> "Forgetful":
        match event:
            case Deposited(amount):
                return replace(self, balance=self.balance + amount)
            case _:
                assert_never(event)  # wrong
""",
    "a case that is missing in a projection": """
@projection("balances")
def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance | None:
    event = recorded.event
    match event:
        case Deposited():
            return row
        case _:
            assert_never(event)  # wrong
""",
    "a field that the event in a case does not have": """
def total(event: AccountEvent) -> int:
    match event:
        case Deposited(amount):
            return amount
        case Withdrawn():
            return event.sum  # wrong
""",
    "a field that the command does not have": """
Withdraw(account_id="a-1", sum=3)  # wrong
Withdraw("a-1", 3).sum  # wrong
""",
    "a command's field of the wrong type": """
Withdraw("a-1", "3")  # wrong
""",
    "a command's field that is missing": """
Withdraw("a-1")  # wrong
""",
    "an event's field that is missing or of the wrong type": """
Deposited()  # wrong
Deposited("3")  # wrong
""",
    "assignment to a frozen event, command or state": """
Deposited(1).amount = 2  # wrong
Withdraw("a-1", 1).amount = 2  # wrong
Account().balance = 2  # wrong
""",
    "something that is not a command is dispatched": """
app.dispatch(Deposited(1))  # wrong
""",
    "a query's row is taken for another model": """
one: Other | None = app.query(Balance).get("a-1")  # wrong
many: list[Other] = app.query(Balance).all()  # wrong
""",
    "a loaded state is taken for another aggregate, or is no aggregate": """
app.load(Account, "a-1").amount  # wrong
app.load(Balance, "a-1")  # wrong
""",
    "a decision returns an event that its annotation does not name": """
@handles
def withdraw(account: Account, command: Withdraw) -> list[Withdrawn]:
    return [Deposited(command.amount)]  # wrong
""",
    "a decision is called with the wrong command": """
@handles
def withdraw(account: Account, command: Withdraw) -> list[Withdrawn]:
    return [Withdrawn(command.amount)]
withdraw(Account(), Deposited(1))  # wrong
""",
    "a projection returns a row of another model": """
@projection("balances")  # wrong
def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Other | None:
    return None
""",
    "a projection with the key returns a row of another model": """
@projection("balances", key=lambda recorded: ["a", "b"])  # wrong
def balances(row: Balance | None, recorded: Recorded[AccountEvent], key: str) -> Other | None:
    return None
""",
    "a fold has four parameters": """
@projection("balances")  # wrong
def balances(row: Balance | None, recorded: Recorded[AccountEvent], key: str, more: str) -> Balance | None:
    return row
""",
    "a projection that nobody put into a target is given to the application": """
@projection("balances")
def balances(row: Balance | None, recorded: Recorded[Deposited]) -> Balance | None:
    return row
Application("memory://", projections=[balances])  # wrong
""",
    "an undecorated function is given to the application": """
def withdraw(account: Account, command: Withdraw) -> list[Withdrawn]:
    return []
Application("memory://", handlers=[withdraw])  # wrong
""",
}


def run(*command: str | Path) -> str:
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in {0, 1}, result.stdout + result.stderr
    return result.stdout


def mypy(cache: Path, *files: Path) -> set[tuple[str, int]]:
    """Each error's file and line."""
    output = run(
        "mypy",
        "--strict",
        "--cache-dir",
        cache,
        "--no-error-summary",
        "--follow-imports=silent",
        "--config-file",
        ROOT / "pyproject.toml",
        *files,
    )
    return {(Path(name).name, int(line)) for name, line in re.findall(r"^(.+?):(\d+): error", output, re.MULTILINE)}


def pyright(*files: Path) -> set[tuple[str, int]]:
    """Each error's file and line."""
    report = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, *files))
    assert report["summary"]["filesAnalyzed"] >= len(files)
    found = [each for each in report["generalDiagnostics"] if each["severity"] == "error"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found}


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mistakes")
    files = {title: folder / f"mistake_{i}.py" for i, title in enumerate(MISTAKES)}
    for title, file in files.items():
        file.write_text(COMMON + MISTAKES[title])
    return files


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy knows of the framework after its first run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def found(mistakes: dict[str, Path], cache: Path) -> dict[str, set[tuple[str, int]]]:
    """What each checker finds in all of the mistakes: one run for all, since starting takes most of the time."""
    return {"mypy": mypy(cache, *mistakes.values()), "pyright": pyright(*mistakes.values())}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("title", MISTAKES)
def test_a_checker_finds(
    title: str, checker: str, mistakes: dict[str, Path], found: dict[str, set[tuple[str, int]]]
) -> None:
    file = mistakes[title]
    lines = {number for number, line in enumerate(file.read_text().splitlines(), start=1) if line.endswith("# wrong")}
    assert lines
    assert {line for name, line in found[checker] if name == file.name} == lines


RIGHT = (HERE / "public_api.py", ROOT / "examples")


def test_mypy_accepts_the_examples_and_knows_the_types_of_the_public_api(cache: Path) -> None:
    assert mypy(cache, *RIGHT) == set()


def test_pyright_accepts_the_examples_and_knows_the_types_of_the_public_api() -> None:
    assert pyright(*RIGHT) == set()
