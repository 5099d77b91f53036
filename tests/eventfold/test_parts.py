"""What an application is made of, and the database that it is turned to."""

from typing import Any

import pytest

from eventfold import Aggregate, Application, Command, DefinitionError, Event, SnapshotPolicy, handles


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
