"""The bank's application, in `bank.db` unless the environment variable BANK_DATABASE names another database."""

import os

from eventfold import Application, SqlTable
from examples.bank.account import deposit, open_account, transfer, withdraw
from examples.bank.balances import balances


def bank(database: str) -> Application:
    return Application(
        database,
        handlers=[open_account, deposit, withdraw, transfer],
        projections=[balances.into(SqlTable("balances", indexes=["owner"]))],
        migrate=True,
        name="bank",
    )


app = bank(os.environ.get("BANK_DATABASE", "sqlite:///bank.db"))
