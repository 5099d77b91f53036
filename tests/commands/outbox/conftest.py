import pytest


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(names[request.param]))


@pytest.fixture(params=["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgresql)])
def sql_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
