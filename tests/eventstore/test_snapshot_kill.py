"""Snapshots raced by eight writers, in processes that end by kill -9: what is left is what replay gives."""

import random

import pytest

from eventfold import Application
from eventstore.loading import load_stream
from eventstore.snapshot_keeping import snapshot_status, verify
from tests.eventstore.forked import processes
from tests.eventstore.snapshot_victim import STREAMS, Dial, application, work

KILLS = 50


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def test_given_eight_writers_killed_at_seeded_points_then_every_snapshot_is_what_replay_gives(
    kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    found, reported = 0, {f"dial-{n}": 0 for n in range(STREAMS)}
    with application(url) as app:
        _ = app.store  # the tables are made once
        for seed in range(KILLS):
            for stream, version in run_until_killed(url, seed):
                reported[stream] = max(reported[stream], version)
            found += check(app)
        assert all(app.store.stream_version(stream) >= version for stream, version in reported.items())
        [status] = snapshot_status(app.store, [Dial])
        assert (status.streams, status.ahead) == (STREAMS, 0)
    assert found > KILLS


def run_until_killed(url: str, seed: int) -> list[tuple[str, int]]:
    """Runs the victim up to a seeded number of receipts, kills it at once, and returns what it reported."""
    wanted = random.Random(seed).randrange(1, 25)
    receiver, sender = processes.Pipe(duplex=False)
    victim = processes.Process(target=work, args=(url, seed, sender))
    victim.start()
    sender.close()
    receipts = [receiver.recv() for _ in range(wanted)]
    victim.kill()
    victim.join()
    receiver.close()
    victim.close()
    return receipts


def check(app: Application) -> int:
    """Holds every snapshot and every load against replay; returns how many snapshots there are."""
    proven = list(verify(app.store, Dial))
    assert [each for each in proven if each.differences or not each.in_log] == []
    for n in range(STREAMS):
        loaded, replayed = app.store.load(Dial, str(n)), load_stream(app.store.backend, Dial, f"dial-{n}")
        assert (loaded.state, loaded.version, loaded.position) == (replayed.state, replayed.version, replayed.position)
    return len(proven)
