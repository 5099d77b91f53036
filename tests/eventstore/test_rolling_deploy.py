"""Two versions of a program at work on one log at the same time read each other's events."""

import subprocess
import sys
from pathlib import Path

import pytest

from eventstore import Aggregate, Event, NewerEventSchema, open_store
from eventstore.loading import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    open_store(found, migrate=True).close()
    return found


def run(code: str, url: str, work: str) -> str:
    command = [sys.executable, "-m", "tests.eventstore.deploys", code, url, work]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_previous_and_the_next_version_read_each_others_events(url: str) -> None:
    for code in ("previous", "next", "previous", "next"):
        run(code, url, "append")

    assert run("previous", url, "read") == run("next", url, "read") == "[1, 3, 5, 7] [1, 3, 5, 7] item 7"


class PriceSet(Event):
    euros: float


class NewerPriceSet(Event, event_type="PriceSet", version=2):
    euros: float
    currency: str = "EUR"


class Item(Aggregate[PriceSet]):
    euros: float = 0

    def evolve(self, event: PriceSet) -> "Item":
        return Item(event.euros)


class WiderPriceSet(Event, event_type="PriceSet"):
    euros: float
    currency: str = "EUR"


def test_an_addition_at_the_same_version_is_read_by_both() -> None:
    with open_store("memory://", events=PriceSet) as store:
        store.append("item-1", [WiderPriceSet(2.5, "CHF")])

        assert load(store.backend, Item, "1").state == Item(2.5)


def test_a_newer_version_is_never_guessed_at() -> None:
    with open_store("memory://", events=PriceSet) as store:
        store.append("item-1", [PriceSet(1), NewerPriceSet(2)])

        with pytest.raises(NewerEventSchema, match="has schema 2, and this code declares schema 1"):
            load(store.backend, Item, "1")
