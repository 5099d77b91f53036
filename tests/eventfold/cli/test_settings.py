"""Where the application is found, and what is said when it is not."""

from pathlib import Path

import pytest

from eventfold import Application, AsyncApplication
from eventfold.errors import ApplicationNotFound
from eventfold.settings import find_application, load_application


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EVENTFOLD_APP", raising=False)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    monkeypatch.chdir(tmp_path)


def _project(folder: Path, app: str = "shop_found:app") -> None:
    (folder / "pyproject.toml").write_text(f'[tool.eventfold]\napp = "{app}"\n')


def test_the_option_comes_before_the_environment_and_that_before_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _project(tmp_path)
    assert find_application().text == "shop_found:app"
    monkeypatch.setenv("EVENTFOLD_APP", "from.environment:app")
    assert find_application().text == "from.environment:app"
    assert find_application("from.option:app").text == "from.option:app"


def test_the_project_is_looked_for_upwards(tmp_path: Path) -> None:
    _project(tmp_path)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner.parent / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    found = find_application(start=inner)
    assert found.text == "shop_found:app"
    assert found.folders == (tmp_path,)


def test_a_module_in_the_projects_folder_is_found(tmp_path: Path) -> None:
    _project(tmp_path, "lying_here:shop.app")
    (tmp_path / "lying_here.py").write_text("from tests.eventfold.cli import shop\n")
    assert isinstance(load_application(find_application()), Application)


def test_an_async_application_is_one_too() -> None:
    assert isinstance(load_application(find_application("tests.eventfold.cli.shop:async_app")), AsyncApplication)


def test_where_nothing_names_one_all_three_ways_are_said(tmp_path: Path) -> None:
    with pytest.raises(ApplicationNotFound, match=r"--app .* EVENTFOLD_APP, .*\[tool.eventfold\]"):
        find_application(start=tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nonsense", r"expected module:attribute"),
        ("no_such_module:app", r"there is no module no_such_module \(looked in "),
        ("tests.eventfold.cli.shop.inner:app", r"there is no module tests.eventfold.cli.shop.inner"),
        ("tests.eventfold.cli.shop:ap", r"has no 'ap' \(it has app, async_app\)"),
        ("json:app", r"has no 'app' \(it has no Application at all\)"),
        ("tests.eventfold.cli.shop:not_an_app", r"expected an Application, got int"),
    ],
)
def test_what_cannot_be_used_is_said(name: str, sentence: str) -> None:
    with pytest.raises(ApplicationNotFound, match=sentence):
        load_application(find_application(name))


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from eventfold import SqlTable\nSqlTable('A')", "DefinitionError: SqlTable: expected a name"),
    ],
)
def test_a_module_that_raises_is_named_with_the_line_and_the_error(tmp_path: Path, line: str, last: str) -> None:
    name = f"raising_{abs(hash(line))}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n")
    with pytest.raises(ApplicationNotFound) as caught:
        load_application(find_application(f"{name}:app"))
    assert f"{name}.py:{line.count(chr(10)) + 1}" in str(caught.value)
    assert last in str(caught.value)


def test_a_faulty_pyproject_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(ApplicationNotFound, match=r"pyproject.toml: cannot be read"):
        find_application()
    (tmp_path / "pyproject.toml").write_text("[tool.eventfold]\napp = 7\n")
    with pytest.raises(ApplicationNotFound, match=r"app: expected text, got 7"):
        find_application()
