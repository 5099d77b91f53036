"""Processes that append and fold inline, killed at random points: rows, position and events always belong together."""

import os
import random
import threading

from tests.projections.inline_shop import assert_all_is_folded, open_inline
from tests.projections.nursery import Nursery
from tests.projections.shop import Added

KILLS = int(os.environ.get("EVENTFOLD_INLINE_KILLS", "5"))
"""Of each of the two processes that append at once."""


def test_given_processes_killed_while_they_append_and_fold_then_rows_are_those_of_the_whole_log(url: str) -> None:
    reported = [0, 0]

    def kill_again_and_again(n: int) -> None:
        with Nursery(url) as nursery:
            for seed in range(KILLS):
                reported[n] += nursery.run_until_killed(seed * 2 + n, "inline", random.Random(seed).randrange(30))

    with open_inline(url) as app:
        app.store.append("item-i1", [Added(1)])
        killers = [threading.Thread(target=kill_again_and_again, args=(n,)) for n in range(2)]
        for each in killers:
            each.start()
        for each in killers:
            each.join()
        survivor = app.store.append("item-i1", [Added(1)])

        assert app.store.backend.count() >= sum(reported) > KILLS * 10
        assert app.engine.find("stock")[0].generation.info.position == survivor.position
        assert_all_is_folded(app)
