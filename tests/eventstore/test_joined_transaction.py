"""Whom the commit of a caller's transaction wakes."""

import pytest
from sqlalchemy import Engine, create_engine, event

from eventstore.joined_transaction import after_commit


def _is_announced(engine: Engine) -> bool:
    announced: list[bool] = []
    with engine.connect() as connection:
        after_commit(connection, lambda: announced.append(True))
        assert announced == []
        connection.commit()
    return announced == [True]


def test_a_pool_that_lies_where_a_disposed_one_lay_is_not_taken_for_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # SQLAlchemy remembers listeners by id(), and keeps those of a disposed pool for the pool that took its place.
    monkeypatch.setattr(event, "contains", lambda *_: True)

    assert _is_announced(create_engine("sqlite://"))


def test_a_commit_is_announced_once_also_after_the_pool_was_disposed_of() -> None:
    engine = create_engine("sqlite://")

    for _ in range(3):
        assert _is_announced(engine)
        engine.dispose()
