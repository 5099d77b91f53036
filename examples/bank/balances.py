"""The read model `balances`: a row for each account."""

from typing import assert_never

from eventfold import Recorded, Struct, projection, replace
from examples.bank.account import AccountEvent, Deposited, Opened, Withdrawn


class Balance(Struct, frozen=True):
    account_id: str
    owner: str
    amount: int = 0


@projection("balances")
def balances(row: Balance | None, recorded: Recorded[AccountEvent]) -> Balance | None:
    event = recorded.event
    if isinstance(event, Opened):
        return Balance(recorded.stream_id, event.owner)
    if row is None:
        return None  # nothing is done with an account that was never opened
    match event:
        case Deposited(amount):
            return replace(row, amount=row.amount + amount)
        case Withdrawn(amount):
            return replace(row, amount=row.amount - amount)
        case _:
            assert_never(event)
