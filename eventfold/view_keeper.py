"""Keeps one reporting view, in a thread of its own: shows what is live, and refreshes what is due."""

from eventfold.follower import Follower
from eventfold.parts import Parts
from projections.views import BoundView

REST_SECONDS = 0.05
"""The least pause between two looks, however many events come in."""


def view_keeper(parts: Parts, view: BoundView) -> Follower:
    """One view's part of a worker. Several workers need not agree on who refreshes it: the database lets one.

    Args:
        parts: of the application.
        view: the view. News of the log matter to one that counts events; others are looked at now and then.
    """
    keeper = _Keeper(view)
    heeds_news = view.declared.refresh_events is not None
    return Follower(
        parts.store, f"reporting view {view.name}", keeper.step, keeper.due_in, rest=REST_SECONDS, heeds_news=heeds_news
    )


class _Keeper:
    def __init__(self, view: BoundView) -> None:
        self._view = view
        self._due: float | None = None
        self._starting = True

    def step(self) -> bool:
        """Refreshes the view, if it is time to; then there is nothing more to do. The first time, other SQL makes way for this."""
        self._due = self._view.refresh_if_due(back=self._starting)
        self._starting = False
        return False

    def due_in(self) -> float | None:
        """Seconds until it is time to."""
        return self._due
