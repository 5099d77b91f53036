"""Opening a log: what a URL and options may be."""

import sys

import pytest

from eventstore import InvalidInput, Unsupported, open_store
from eventstore.opening import carried_over


@pytest.mark.parametrize(
    ("url", "option", "known"),
    [
        ("memory://", "busy_seconds", "max_payload, migrate, prefix, schema"),
        ("sqlite:///app.db", "pool_size", "busy_seconds, max_payload, migrate, prefix, schema, synchronous"),
        ("postgresql://h/app", "synchronous", "busy_seconds, max_payload, migrate, pool_size, prefix, schema"),
    ],
)
def test_an_option_that_a_database_does_not_have_is_refused_by_name(url: str, option: str, known: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{option}: \w+:// has no such option; expected one of {known}$"):
        open_store(url, **{option: 1})


def test_options_for_one_kind_of_database_are_left_out_for_another() -> None:
    options = {"prefix": "shop_", "synchronous": "NORMAL", "busy_seconds": 5}

    assert carried_over(options, "sqlite:///a.db", "sqlite:///b.db") == options
    assert carried_over(options, "sqlite:///a.db", "postgresql://h/b") == {"prefix": "shop_", "busy_seconds": 5}
    assert carried_over(options, "sqlite:///a.db", "memory://") == {"prefix": "shop_"}


def test_an_option_that_no_database_has_is_not_lost_on_the_way_to_another() -> None:
    assert carried_over({"bussy_seconds": 5}, "sqlite:///a.db", "memory://") == {"bussy_seconds": 5}


def test_a_scheme_without_a_backend_is_refused() -> None:
    with pytest.raises(Unsupported, match="mysql://: no backend of that name; expected one of memory, postgres"):
        open_store("mysql://h/app")


def test_a_driver_that_is_not_installed_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("eventstore.backends.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(Unsupported, match=r"postgresql:// needs a driver .*psycopg.* its extra `postgres`"):
        open_store("postgresql://h/app")
