"""Two doctors are on call, and each may leave only while the other stays: one stays, whoever asks, and whenever."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventfold import Aggregate, Application, Command, Event, Rejected, RetryPolicy, handles, replace
from tests.commands.bank import BETWEEN, somebody_else
from tests.commands.conftest import OpenDriver

PATIENCE_SECONDS = 60.0
ROUNDS = 30


class CameOn(Event):
    pass


class WentOff(Event):
    pass


class Doctor(Aggregate[CameOn | WentOff]):
    on_call: bool = False

    def evolve(self, event: CameOn | WentOff) -> "Doctor":
        return replace(self, on_call=isinstance(event, CameOn))


class Leave(Command):
    doctor_id: str
    colleague_id: str


@handles(streams={"doctor": "doctor_id", "colleague": "colleague_id"})
def leave(doctor: Doctor, colleague: Doctor, command: Leave) -> dict[str, list[CameOn | WentOff]]:
    somebody_else()
    if doctor.on_call and not colleague.on_call:
        raise Rejected(f"{command.colleague_id} is not on call")
    return {"doctor": [WentOff()] if doctor.on_call else []}


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[str]:
    match request.param:
        case "memory":
            yield "memory://"
        case "sqlite":
            yield sqlite_url
        case _:
            yield request.getfixturevalue("postgres_url")


def test_given_a_stream_that_is_only_read_when_it_moves_meanwhile_then_the_command_is_decided_again(
    open_driver: OpenDriver,
) -> None:
    app = open_driver(handlers=[leave])
    for name in ("ada", "bob"):
        app.store.append(f"doctor-{name}", [CameOn()])
    BETWEEN.append(lambda: app.store.append("doctor-bob", [WentOff()]))

    with pytest.raises(Rejected, match="bob is not on call"):
        app.dispatch(Leave("ada", "bob"))

    assert app.load(Doctor, "ada") == Doctor(on_call=True)


def test_given_a_stream_that_is_only_read_then_the_receipt_names_what_was_written(open_driver: OpenDriver) -> None:
    app = open_driver(handlers=[leave])
    for name in ("ada", "bob"):
        app.store.append(f"doctor-{name}", [CameOn()])

    receipt = app.dispatch(Leave("ada", "bob"))

    assert (receipt.stream, receipt.versions) == ("doctor-ada", {"doctor-ada": 2})
    assert app.store.stream_version("doctor-bob") == 1


def test_given_one_stream_for_two_parameters_then_it_is_written_and_not_guarded_as_well(
    open_driver: OpenDriver,
) -> None:
    app = open_driver(handlers=[leave])
    app.store.append("doctor-ada", [CameOn()])

    assert app.dispatch(Leave("ada", "ada")).versions == {"doctor-ada": 2}


class Watched(Aggregate[CameOn | WentOff], category="doctor"):
    on_call: bool = False

    def evolve(self, event: CameOn | WentOff) -> "Watched":
        somebody_else()
        return replace(self, on_call=isinstance(event, CameOn))


@handles(streams={"before": "doctor_id", "now": "colleague_id"})
def leave_as_seen(before: Watched, now: Watched, command: Leave) -> dict[str, list[CameOn | WentOff]]:
    return {"now": [WentOff()] if before.on_call else []}


def test_given_one_stream_for_two_parameters_when_it_moves_between_their_loads_then_the_command_is_decided_again(
    open_driver: OpenDriver,
) -> None:
    app = open_driver(handlers=[leave_as_seen])
    app.store.append("doctor-ada", [CameOn()])
    BETWEEN.append(lambda: app.store.append("doctor-ada", [WentOff()]))

    assert app.dispatch(Leave("ada", "ada")).events == ()
    assert app.store.stream_version("doctor-ada") == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_when_both_ask_at_once_then_one_of_them_stays(database: str, seed: int) -> None:
    begin = threading.Barrier(2)

    def ask(app: Application, me: int) -> int:
        chance, left = random.Random(10 * seed + me), 0
        for n in range(ROUNDS):
            names = [f"r{n}ada", f"r{n}bob"]
            begin.wait(PATIENCE_SECONDS)
            if chance.random() < 0.5:
                app.store.append("doctor-noise", [CameOn()])
            try:
                app.dispatch(Leave(names[me], names[1 - me]))
            except Rejected:
                continue
            left += 1
        return left

    patient = RetryPolicy(attempts=50)
    with Application(database, handlers=[leave], migrate=True, retry=patient) as one:
        other = one if database == "memory://" else Application(database, handlers=[leave], retry=patient)
        for n in range(ROUNDS):
            for name in ("ada", "bob"):
                one.store.append(f"doctor-r{n}{name}", [CameOn()])
        with other, ThreadPoolExecutor(2) as pool:
            left = list(pool.map(ask, [one, other], range(2)))

    assert sum(left) == ROUNDS
