"""What an application is made of, and the database that it is turned to."""

from pathlib import Path
from typing import Any

import pytest

from eventfold import (
    Aggregate,
    Application,
    AsyncApplication,
    Command,
    DefinitionError,
    Event,
    Recording,
    SnapshotPolicy,
    handles,
)
from eventfold.schema_check import needed_by_category
from projections import UnknownModel


class Paid(Event):
    cents: int


class Pay(Command):
    account_id: str


def handler_of(sign: int, policy: SnapshotPolicy | None) -> Any:
    class Account(Aggregate[Paid], snapshots=policy):
        balance: int = 0

        def evolve(self, event: Paid) -> "Account":
            return Account(self.balance + sign * event.cents)

    class PayOne(Pay):
        pass

    def pay(account: Any, command: Any) -> list[Paid]:
        return [Paid(1)]

    pay.__annotations__ = {"account": Account, "command": PayOne}
    return handles(pay)


def test_two_folds_of_one_name_over_the_same_streams_are_refused_where_they_keep_snapshots() -> None:
    both = [handler_of(1, SnapshotPolicy()), handler_of(-1, SnapshotPolicy())]
    with pytest.raises(
        DefinitionError, match="are both called Account and fold the streams of 'account': their snapshots"
    ):
        Application("memory://", handlers=both)

    assert len(Application("memory://", handlers=[handler_of(1, None), handler_of(-1, None)]).parts.aggregates) == 2


def test_an_application_turned_to_another_kind_of_database_leaves_the_former_kinds_options_behind() -> None:
    app = Application("sqlite:///never_made.db", synchronous="NORMAL", busy_seconds=1.0)

    app.parts.use_database("memory://")

    with app:
        assert app.store.head() == 0


class Filled(Event):
    litres: int


class Tank(Aggregate[Filled], snapshots=SnapshotPolicy()):
    litres: int = 0

    def evolve(self, event: Filled) -> "Tank":
        return Tank(self.litres + event.litres)


class TankObject(Recording[Tank]):
    pass


@pytest.mark.parametrize("kind", [Application, AsyncApplication])
def test_an_aggregate_that_no_handler_takes_is_known_when_it_is_named(kind: Any) -> None:
    parts = kind("memory://", aggregates=[Tank]).parts

    assert parts.aggregate("Tank") is parts.aggregate("tank") is Tank
    assert parts.events == (Filled,)
    assert [*needed_by_category(parts)] == ["tank"]


def test_where_an_aggregate_is_not_known_the_error_says_how_it_becomes_known() -> None:
    with pytest.raises(UnknownModel, match=r"'Tank' \(there are: none\); .* named in its `aggregates=`"):
        Application("memory://", events=Filled).parts.aggregate("Tank")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"events": [Tank]}, "Tank is an aggregate; name it in `aggregates=`"),
        ({"events": Tank}, "Tank is an aggregate; name it in `aggregates=`"),
        ({"aggregates": [Filled]}, r"expected classes as in `class Account\(Aggregate.*got .*Filled"),
        ({"aggregates": TankObject}, r"name the aggregate in its `Recording\[...\]`"),
    ],
)
def test_what_is_named_in_the_wrong_place_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Application("memory://", **parts)


def test_a_prefix_in_the_url_of_one_database_is_not_taken_to_the_next(tmp_path: Path) -> None:
    app = Application("memory://")
    app.parts.use_database(f"sqlite:///{tmp_path}/a.db?prefix=shop_")
    with app:
        assert app.store.backend.sql is not None
        assert app.store.backend.sql.prefix == "shop_"

    app.parts.use_database(f"sqlite:///{tmp_path}/b.db")

    with app:
        assert app.store.backend.sql.prefix == "eventfold_"
