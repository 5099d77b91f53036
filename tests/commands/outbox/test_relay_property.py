"""Appends, relays, confirms, crashes and redelivery in any order: nothing is lost, and no key is out of order."""

import random
from collections import defaultdict
from collections.abc import Iterator

import pytest

from commands import NewMessage, Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.relaying import START, Taken, Verdict, ends_of, judge, may_follow
from tests.commands.outbox.shop import Numbered
from tests.commands.outbox.simulated_broker import SimulatedBroker

STEPS = {"memory": 4_000, "sqlite": 600, "postgresql": 400}
SOAK = {"memory": 100_000, "sqlite": 20_000, "postgresql": 10_000}

RELAYS, KEYS, SECOND_US = 3, 6, 1_000_000
POLICY = RelayPolicy(batch=7)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    url = "memory://" if request.param == "memory" else request.getfixturevalue(names[request.param])
    with Outbox(url, migrate=True) as opened:
        yield opened


def kind_of(outbox: Outbox) -> str:
    database = outbox.store.backend.sql
    return "memory" if database is None else database.dialect


class World:
    """An outbox, relays that are anywhere in their work, and a broker."""

    def __init__(self, outbox: Outbox, chance: random.Random) -> None:
        self.outbox, self.chance = outbox, chance
        self.broker = SimulatedBroker(chance)
        self.now_us = 0
        self.added: defaultdict[str, int] = defaultdict(int)
        self.taken: dict[str, tuple[Taken, list[Exception | None] | None]] = {}
        self.ahead: dict[str, Taken] = {}
        self.unsettled: dict[str, tuple[Taken, Verdict]] = {}
        self.after = {f"relay-{number}": START for number in range(RELAYS)}

    def step(self) -> None:
        """Any of the things that may happen next."""
        self.now_us += self.chance.randrange(SECOND_US)
        if self.chance.random() < 0.002:
            self.now_us += 100 * SECOND_US  # longer than a lease, and than most pauses
        relay = self.chance.choice(list(self.after))
        drawn = self.chance.random()
        if drawn < 0.3:
            self.append()
        elif drawn < 0.33:
            self.outbox.retry()
        elif drawn < 0.38:
            self.crash(relay)
        elif drawn < 0.39:
            self.outbox.prune(0)
        else:
            self.move(relay)

    def append(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            key = f"key-{self.chance.randrange(KEYS)}"
            self.added[key] += 1
            self.outbox.add(None, NewMessage(Numbered(self.added[key]), key=key))

    def move(self, relay: str) -> None:
        """The next thing that this relay does: take, hand over, or say what became of it."""
        if relay not in self.taken:
            if (taken := self.ahead.pop(relay, None) or self.take(relay)).rows:
                self.taken[relay] = taken, None
            return
        taken, answers = self.taken[relay]
        if relay in self.unsettled and (answers is not None or self.chance.random() < 0.5):
            before, verdict = self.unsettled.pop(relay)
            before.settle(verdict, self.now_us)
        elif relay not in self.ahead and relay not in self.unsettled and self.chance.random() < 0.3:
            self.ahead[relay] = self.take(relay, taken)
        elif answers is None:
            self.taken[relay] = taken, self.broker.publish([each.event for each in taken.rows])
        else:
            self.settle(relay, taken, answers)

    def take(self, relay: str, behind: Taken | None = None) -> Taken:
        ends = ends_of(behind.rows if behind is not None else [])
        taken = self.outbox.relays.take(relay, self.after[relay], POLICY.batch, self.now_us, hold=True, ahead=ends)
        self.after[relay] = taken.after
        return taken

    def settle(self, relay: str, taken: Taken, answers: list[Exception | None]) -> None:
        del self.taken[relay]
        verdict = judge(taken.rows, answers, POLICY, self.now_us)
        if (ahead := self.ahead.get(relay)) is not None:
            ahead.rows = may_follow(ahead.rows, taken.rows, verdict)
            if not ahead.rows:
                self.ahead.pop(relay).drop()
        if relay in self.ahead:
            self.unsettled[relay] = taken, verdict
        else:
            taken.settle(verdict, self.now_us)

    def crash(self, relay: str) -> None:
        """Killed before, in the middle of, or after handing over; the database lets its locks go."""
        if relay in self.taken:
            taken, answers = self.taken.pop(relay)
            if answers is None:
                events = [each.event for each in taken.rows]
                self.broker.publish(events, dies_after=self.chance.randrange(len(events) + 1))
            taken.drop()
        if relay in self.ahead:
            self.ahead.pop(relay).drop()
        if relay in self.unsettled:
            self.unsettled.pop(relay)[0].drop()
        self.after[relay] = START

    def heal(self) -> None:
        """No more faults: everything goes out."""
        self.broker.faulty = 0.0
        for relay in self.after:
            self.crash(relay)
            self.outbox.relays.release(relay)
        while self.outbox.status().pending or self.outbox.status().parked:
            self.outbox.retry()
            self.now_us += 400 * SECOND_US
            for _ in range(3):
                self.move("relay-0")


@pytest.mark.parametrize("seed", range(2))
def test_given_any_interleaving_of_appends_relays_and_crashes_then_each_key_arrives_whole_and_in_order(
    outbox: Outbox, seed: int
) -> None:
    run(outbox, seed, STEPS[kind_of(outbox)])


@pytest.mark.slow
def test_the_same_over_a_hundred_thousand_steps(outbox: Outbox) -> None:
    run(outbox, 99, SOAK[kind_of(outbox)])


def run(outbox: Outbox, seed: int, steps: int) -> None:
    world = World(outbox, random.Random(seed))

    for _ in range(steps):
        world.step()
    world.heal()

    assert world.added.keys() == world.broker.kept.keys()
    for key, count in world.added.items():
        first_time = list(dict.fromkeys(world.broker.kept[key]))  # what an inbox makes of it
        assert first_time == list(range(1, count + 1))
    assert sum(map(len, world.broker.kept.values())) > sum(world.added.values())  # there were repetitions to leave out
