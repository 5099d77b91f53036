"""kill -9 at random points of making, swapping and refreshing a view: it is there, whole, and over rows that are."""

import os
import random

from sqlalchemy import text

from eventfold import Application
from tests.projections.nursery import Nursery
from tests.projections.shop import EVENTS, bindings, items_at
from tests.projections.victim import LAST

KILLS = int(os.environ.get("EVENTFOLD_VIEW_KILLS", "3"))
"""In each database; more for a longer run."""


def test_given_kills_at_any_time_then_the_view_is_whole_and_stands_where_it_says(url: str) -> None:
    with Application(url, projections=bindings(), views=[LAST], events=EVENTS, migrate=True) as app:
        app.catch_up()
        database, view = app.engine.views["last"].database, app.engine.views["last"]
        before = 0
        with Nursery(url) as nursery:
            for seed in range(KILLS):
                nursery.run_until_killed(seed, "view", random.Random(seed).randrange(1, 40))
                with database.reading(together=True) as connection:
                    items = connection.execute(text("SELECT items FROM last")).scalar_one()
                stored, infos = view.stored()
                assert stored is not None
                assert view.is_current(stored, infos)
                assert stored.position >= before
                assert items == items_at(app.store, stored.position)
                before = stored.position
        assert before > 0
        assert app.refresh("last")
