"""The way of a command that has an idempotency key: decided once, and answered alike ever after."""

from collections.abc import Callable, Generator
from typing import Any

from commands.errors import KeyTaken, Rejected
from commands.failure import plain
from commands.idempotency.claim import Claim, Outcome
from commands.receipt import Receipt
from commands.steps import FindOutcome, KeepOutcome, ReadReceipt, Step, nothing_new
from eventstore import Conflict

_TRIES = 5
"""A key may expire between the moment when it was taken and the look at what is kept under it."""


def once_steps(
    decided: Callable[[], Generator[Step, Any, Receipt]], claim: Claim, *, keep_rejections: bool
) -> Generator[Step, Any, Receipt]:
    """Decides and appends, unless that was done before under the same key.

    The key is written with the events, in their transaction, so nothing needs to be looked up where the command is new. What
    was stored before makes that append fail; so does anything that the first one has changed.

    Args:
        decided: makes the steps of a command without a key.
        claim: the command's.
        keep_rejections: whether a rejection is kept, too.

    Raises:
        IdempotencyConflict: the key is that of another command.
        Rejected: the decision refuses it, or has refused it.
    """
    for _ in range(_TRIES):
        failure: Exception = KeyTaken()
        try:
            receipt = yield from decided()
        except (KeyTaken, Rejected, Conflict) as error:
            failure = error
        else:
            if receipt.events or (yield KeepOutcome(claim, nothing_new(receipt))):
                return receipt  # else it has told others something: its own key is kept with that, and found below
        found: Outcome | None = yield FindOutcome(claim)
        if found is not None:
            return (yield from _answer(found))
        if isinstance(failure, KeyTaken):
            continue
        if isinstance(failure, Rejected) and keep_rejections:
            kept: bool = yield KeepOutcome(claim, Outcome(rejected=plain(str(failure))))
            if not kept:
                continue
        raise failure
    raise KeyTaken


def _answer(outcome: Outcome) -> Generator[Step, Any, Receipt]:
    if outcome.rejected is not None:
        raise Rejected(outcome.rejected)
    receipt: Receipt = yield ReadReceipt(outcome)
    return receipt
