"""The application: opened on first use, used again after it was closed, and clear about what it does not have."""

from pathlib import Path

import pytest

from eventfold import (
    Application,
    DefinitionError,
    MemoryTable,
    NotMigrated,
    Receipt,
    Recording,
    StreamNotFound,
    Struct,
    UnknownModel,
)
from tests.commands.bank import HANDLERS, Account, Deposit, Deposited, Look, deposit
from tests.projections.shop import Stock, bindings, fill, open_app


class AccountObject(Recording[Account]):
    def deposit(self, amount: int) -> None:
        self.record(Deposited(amount))


class Unkept(Struct, frozen=True):
    key: str


def test_the_database_is_opened_on_first_use(tmp_path: Path) -> None:
    file = tmp_path / "bank.db"
    with Application(f"sqlite:///{file}", handlers=HANDLERS) as app:
        assert not file.exists()

        app.dispatch(Deposit("a-1", 1))

        assert file.exists()


def test_after_it_was_closed_the_next_use_opens_it_again(sqlite_url: str) -> None:
    app = Application(sqlite_url, handlers=HANDLERS)
    app.dispatch(Deposit("a-1", 1))
    app.close()
    app.close()

    assert app.dispatch(Deposit("a-1", 2)).version == 2
    app.close()


def test_where_it_may_not_migrate_it_says_what_to_do(sqlite_url: str) -> None:
    with (
        Application(sqlite_url, handlers=HANDLERS, migrate=False) as app,
        pytest.raises(NotMigrated, match="eventfold migrate"),
    ):
        app.dispatch(Look("a-1"))


def test_a_state_comes_with_its_version_and_position_and_as_it_was() -> None:
    with Application("memory://", handlers=HANDLERS) as app:
        for amount in (1, 2):
            app.dispatch(Deposit("a-1", amount))

        now, before = app.load_with_version(Account, "a-1"), app.load_with_version(Account, "a-1", at_version=1)

        assert (now.state, now.version, now.position) == (Account(3), 2, 2)
        assert (before.state, before.version, before.position) == (Account(1), 1, 1)
        with pytest.raises(StreamNotFound, match="'account-a-2'"):
            app.load(Account, "a-2")


def test_an_object_that_records_is_opened_and_saved_with_a_receipt() -> None:
    with Application("memory://") as app:
        account = app.open(AccountObject, "a-1")

        assert app.save(account) is None
        account.deposit(5)
        receipt = app.save(account)

        assert isinstance(receipt, Receipt)
        assert (receipt.stream, receipt.version, receipt.events) == ("account-a-1", 1, (Deposited(5),))
        assert app.load(Account, "a-1") == Account(5)


def test_all_targets_of_a_projection_are_rebuilt() -> None:
    stock = bindings(MemoryTable)[0].projection
    with open_app("memory://", [stock.into(MemoryTable("one"), MemoryTable("two"))]) as app:
        fill(app.store, 13)
        app.catch_up()

        assert app.rebuild("stock") > 0

        assert [track.generation.info.number for track in app.engine.find("stock")] == [2, 2]
        assert app.query(Stock).count() > 0


def test_what_there_is_not_is_said_with_what_there_is() -> None:
    with open_app("memory://") as app:
        with pytest.raises(UnknownModel, match=r"no projection keeps Unkept \(there are: Stock, Total\)"):
            app.query(Unkept)
        with pytest.raises(DefinitionError, match=r"no projection is called 'stocks' \(there are: stock, totals\)"):
            app.rebuild("stocks")


def test_two_handlers_of_one_command_are_refused_when_it_is_made() -> None:
    with pytest.raises(DefinitionError, match="Deposit is handled by deposit and by deposit"):
        Application("memory://", handlers=[deposit, deposit])
