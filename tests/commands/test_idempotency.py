"""Idempotency keys: the same key and command are answered alike, whoever sends them, how often, and when."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from commands.idempotency.claim import Kept, Outcome
from commands.idempotency.fingerprint import fingerprint
from eventfold import (
    Application,
    Ask,
    Command,
    DefinitionError,
    Envelope,
    Idempotency,
    IdempotencyConflict,
    InlineFailed,
    InvalidInput,
    MemoryTable,
    Receipt,
    Recorded,
    Rejected,
    SqlTable,
    Struct,
    handles,
    look_up,
    projection,
)
from tests.commands.bank import (
    BETWEEN,
    HANDLERS,
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Look,
    Subscribe,
    Transfer,
    Withdraw,
)
from tests.commands.conftest import Driver, Looped, OpenDriver, Threaded


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def open_driver(open_driver: OpenDriver) -> OpenDriver:
    return lambda **options: open_driver(migrate=True, **options)


@pytest.fixture
def driver(open_driver: OpenDriver) -> Driver:
    return open_driver()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the ledger's clock on by so many seconds."""
    from commands.idempotency import ledger

    now = [ledger.now_us()]
    monkeypatch.setattr(ledger, "now_us", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += int(seconds * 1e6)

    return move


def count(app: Driver | Application) -> int:
    """How many events there are: the head counts positions, also of appends that were refused."""
    return sum(1 for _ in app.store.read_log())


# -- the same key, the same command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [Deposit("a-1", 5), Transfer("a-1", "a-2", 5), Subscribe("s-1", "c-1"), Look("a-1")], ids=repr
)
def test_a_command_sent_again_is_answered_with_its_first_receipt(driver: Driver, command: Command) -> None:
    driver.dispatch(Deposit("a-1", 9))

    first = driver.dispatch(command, idempotency_key="once")
    stored = count(driver)
    driver.dispatch(Deposit("a-1", 1))
    again = driver.dispatch(command, idempotency_key="once")

    assert again == first
    assert count(driver) == stored + 1


def test_a_command_that_would_be_rejected_by_now_is_answered_with_its_first_receipt(driver: Driver) -> None:
    driver.dispatch(Deposit("a-1", 5))
    first = driver.dispatch(Withdraw("a-1", 5), idempotency_key="once")

    assert driver.dispatch(Withdraw("a-1", 5), idempotency_key="once") == first
    assert driver.load(Account, "a-1").balance == 0


def test_without_a_key_a_command_is_done_again(driver: Driver) -> None:
    driver.dispatch(Deposit("a-1", 5))
    driver.dispatch(Deposit("a-1", 5))

    assert driver.load(Account, "a-1").balance == 10


def test_a_command_that_somebody_else_does_between_load_and_append_is_done_once(url: str) -> None:
    with Application(url, handlers=HANDLERS, migrate=True) as app:
        BETWEEN.append(lambda: app.dispatch(Deposit("a-1", 5), idempotency_key="once"))

        receipt = app.dispatch(Deposit("a-1", 5), idempotency_key="once")

        assert receipt.version == 1
        assert app.load(Account, "a-1").balance == 5


def test_threads_that_send_it_at_the_same_moment_all_get_the_one_receipt(url: str) -> None:
    with Application(url, handlers=HANDLERS, migrate=True) as app:
        _ = app.store
        receipts: list[Receipt] = []
        failures: list[Exception] = []
        start = threading.Barrier(16)

        def send() -> None:
            start.wait()
            try:
                receipts.append(app.dispatch(Deposit("a-1", 5), idempotency_key="once"))
            except Exception as error:  # noqa: BLE001 - looked at below
                failures.append(error)

        threads = [threading.Thread(target=send) for _ in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert failures == []
        assert receipts == [receipts[0]] * 16
        assert count(app) == 1


def test_a_repetition_in_a_crowd_of_others_fails_nobody(url: str) -> None:
    with Application(url, handlers=HANDLERS, migrate=True) as app:
        _ = app.store
        receipts: list[Receipt] = []

        def send(number: int) -> None:
            receipts.append(app.dispatch(Deposit(f"a-{number % 8}", 1), idempotency_key=f"k-{number % 8}"))
            receipts.append(app.dispatch(Deposit(f"b-{number}", 1)))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(24)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert len(receipts) == 48
        assert count(app) == 8 + 24


# -- the same key, another command --------------------------------------------------------------------------------------


SENTENCE = (
    r"idempotency key 'once': expected .* a Deposit of \d{4}-\d\d-\d\d .* UTC in stream 'account-a-1', got (one with other fields|"
    r"a Withdraw).*`eventfold idempotency show once`"
)


@pytest.mark.parametrize("command", [Deposit("a-1", 6), Withdraw("a-1", 5)], ids=repr)
def test_another_command_under_the_same_key_is_refused_and_nothing_is_stored(driver: Driver, command: Command) -> None:
    driver.dispatch(Deposit("a-1", 5), idempotency_key="once")

    with pytest.raises(IdempotencyConflict, match=SENTENCE) as caught:
        driver.dispatch(command, idempotency_key="once")

    error = caught.value
    assert (error.key, error.first, error.command, error.stream) == (
        "once",
        "Deposit",
        type(command).__name__,
        "account-a-1",
    )
    assert abs((datetime.now(UTC) - error.used_at).total_seconds()) < 60
    assert count(driver) == 1


def test_commands_are_told_apart_by_name_and_fields() -> None:
    assert fingerprint(Deposit("a-1", 5)) == fingerprint(Deposit("a-1", 5))
    assert len({fingerprint(each) for each in (Deposit("a-1", 5), Withdraw("a-1", 5), Deposit("a-1", 6))}) == 3


def given_another_field() -> type[Command]:
    """The command as a later release of the code declares it."""

    class Reason(Struct, frozen=True):
        code: int
        text: str = ""

    class Deposit(Command):
        account_id: str
        amount: int
        note: str = ""
        reasons: tuple[Reason, ...] = ()

    return Deposit


def test_a_field_that_has_its_default_tells_no_commands_apart() -> None:
    later: Any = given_another_field()
    reason: Any = msgspec.json.decode(b'{"account_id":"a-1","amount":5,"reasons":[{"code":1}]}', type=later)

    assert fingerprint(later("a-1", 5)) == fingerprint(Deposit("a-1", 5))
    assert fingerprint(later("a-1", 5, "x")) != fingerprint(Deposit("a-1", 5))
    assert fingerprint(reason) == fingerprint(msgspec.structs.replace(reason)) != fingerprint(later("a-1", 5))


def test_a_command_that_was_given_another_optional_field_meanwhile_is_still_the_same(sqlite_url: str) -> None:
    later: Any = given_another_field()

    def deposit(_account: Account, command: Any) -> list[AccountEvent]:
        return [Deposited(command.amount)]

    deposit.__annotations__["command"] = later
    with Application(sqlite_url, handlers=HANDLERS, migrate=True) as app:
        first = app.dispatch(Deposit("a-1", 5), idempotency_key="once")
    with Application(sqlite_url, handlers=[handles(deposit)]) as app:
        assert app.dispatch(later("a-1", 5), idempotency_key="once") == first
        with pytest.raises(IdempotencyConflict):
            app.dispatch(later("a-1", 5, "another"), idempotency_key="once")


def test_a_fingerprint_that_an_earlier_release_has_kept_is_that_of_the_same_command() -> None:
    later: Any = given_another_field()
    claim = Idempotency().claim(Envelope(later("a-1", 5), "m", "c", idempotency_key="once"))
    assert claim is not None
    whole = b'Deposit\0{"account_id":"a-1","amount":5,"note":"","reasons":[]}'
    kept = Kept("", "once", "Deposit", hashlib.sha256(whole).hexdigest(), Outcome("account-a-1"), 0, 1)

    assert kept.check(claim) == Outcome("account-a-1")


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", 5, b"k"])
def test_a_bad_key_is_refused_and_nothing_is_stored(driver: Driver, key: Any) -> None:
    with pytest.raises(InvalidInput, match="idempotency_key: expected a text of 1 to 255 printable characters"):
        driver.dispatch(Deposit("a-1", 5), idempotency_key=key)

    assert count(driver) == 0


# -- scopes, ages, rejections -------------------------------------------------------------------------------------------


def test_keys_of_different_scopes_are_different_keys(open_driver: OpenDriver) -> None:
    def tenant(envelope: Envelope) -> str:
        return str((envelope.metadata or {}).get("tenant", ""))

    app = open_driver(idempotency=Idempotency(scope=tenant))

    for name in ("north", "south", "north"):
        app.dispatch(Deposit("a-1", 5), idempotency_key="once", metadata={"tenant": name})

    assert app.load(Account, "a-1").balance == 10


def test_a_key_is_forgotten_after_its_time(open_driver: OpenDriver, clock: Callable[[float], None]) -> None:
    app = open_driver(idempotency=Idempotency(keep_seconds=60))
    app.dispatch(Deposit("a-1", 5), idempotency_key="once")

    clock(59)
    app.dispatch(Deposit("a-1", 5), idempotency_key="once")
    assert app.load(Account, "a-1").balance == 5

    clock(2)
    app.dispatch(Deposit("a-1", 6), idempotency_key="once")
    assert app.load(Account, "a-1").balance == 11
    app.dispatch(Deposit("a-1", 6), idempotency_key="once")
    assert app.load(Account, "a-1").balance == 11


def test_a_key_may_be_kept_for_years(open_driver: OpenDriver, clock: Callable[[float], None]) -> None:
    app = open_driver(idempotency=Idempotency(keep_seconds=7 * 365 * 86_400))
    app.dispatch(Deposit("a-1", 5), idempotency_key="once")

    clock(6 * 365 * 86_400)
    app.dispatch(Deposit("a-1", 5), idempotency_key="once")

    assert app.load(Account, "a-1").balance == 5


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "a day"])
def test_a_time_that_makes_no_sense_is_refused(seconds: Any) -> None:
    with pytest.raises(DefinitionError, match="Idempotency: keep_seconds: expected seconds, more than 0"):
        Idempotency(keep_seconds=seconds)


def test_a_rejected_command_is_decided_again_unless_it_was_asked_to_keep_it(open_driver: OpenDriver) -> None:
    app = open_driver()
    with pytest.raises(Rejected):
        app.dispatch(Withdraw("a-1", 5), idempotency_key="once")

    app.dispatch(Deposit("a-1", 5))

    assert app.dispatch(Withdraw("a-1", 5), idempotency_key="once").version == 2


def test_a_rejection_that_is_kept_stays(open_driver: OpenDriver) -> None:
    app = open_driver(idempotency=Idempotency(keep_rejections=True))
    with pytest.raises(Rejected, match="balance is 0"):
        app.dispatch(Withdraw("a-1", 5), idempotency_key="once")

    app.dispatch(Deposit("a-1", 5))

    for _ in range(2):
        with pytest.raises(Rejected, match="cannot withdraw 5: balance is 0"):
            app.dispatch(Withdraw("a-1", 5), idempotency_key="once")
    assert app.load(Account, "a-1").balance == 5


# -- beside what looks something up ---------------------------------------------------------------------------------------


class Holder(Struct, frozen=True):
    account_id: str


@projection("holders")
def holders(row: Holder | None, recorded: Recorded[AccountEvent]) -> Holder:
    return Holder(recorded.stream_id)


def is_new(command: Deposit, ask: Ask) -> Iterable[str]:
    if ask(Holder).get(command.account_id) is not None:
        yield f"account_id: {command.account_id} is taken"


def test_a_command_is_not_refused_for_what_it_has_done_itself() -> None:
    with Application(
        "memory://", handlers=HANDLERS, projections=[holders.into(MemoryTable())], middleware=[look_up(is_new)]
    ) as app:
        first = app.dispatch(Deposit("a-1", 5), idempotency_key="once")
        app.catch_up()

        assert app.dispatch(Deposit("a-1", 5), idempotency_key="once") == first
        with pytest.raises(InvalidInput, match="a-1 is taken"):
            app.dispatch(Deposit("a-1", 5), idempotency_key="another")


class Purse(Struct, frozen=True):
    account_id: str
    amount: int = 0


@projection("purses", key=lambda recorded: recorded.stream_id)
def purses(row: Purse | None, recorded: Recorded[Deposited]) -> Purse:
    if recorded.event.amount == 13:
        raise ValueError("unlucky")
    return Purse(recorded.stream_id, (row.amount if row else 0) + recorded.event.amount)


@pytest.mark.parametrize("target", [MemoryTable(), SqlTable("purses")], ids=["memory", "sqlite"])
def test_beside_what_is_kept_inline_neither_is_there_without_the_other(target: Any, sqlite_url: str) -> None:
    url = sqlite_url if isinstance(target, SqlTable) else "memory://"
    with Application(
        url, handlers=HANDLERS, projections=[purses.into(target, consistency="inline")], migrate=True
    ) as app:
        first = app.dispatch(Deposit("a-1", 1), idempotency_key="once")
        assert app.dispatch(Deposit("a-1", 1), idempotency_key="once") == first
        for _ in range(2):
            with pytest.raises(InlineFailed, match="unlucky"):
                app.dispatch(Deposit("a-1", 13), idempotency_key="refused")
        app.dispatch(Deposit("a-1", 10), idempotency_key="refused")

        assert app.query(Purse).get("a-1") == Purse("a-1", 11)
        assert app.load(Account, "a-1").balance == 11


def test_the_receipts_of_an_async_and_a_sync_application_are_the_same(sqlite_url: str) -> None:
    threaded, looped = Threaded(sqlite_url, {"handlers": HANDLERS}), Looped(sqlite_url, {"handlers": HANDLERS})

    first = threaded.dispatch(Deposit("a-1", 5), idempotency_key="once")

    assert looped.dispatch(Deposit("a-1", 5), idempotency_key="once") == first
    threaded.close()
    looped.close()
