"""Progress bars on stderr: how far, how fast, how long still."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from eventfold.cli.output import error_console


class Rate(ProgressColumn):
    """How many events, or others, a second went by."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The rate, as text."""
        events, seconds = task.fields["events"], task.finished_time or task.elapsed
        return Text(f"{events / seconds:,.0f} {self._unit}/s" if events and seconds else "", style="dim")


class Bar:
    """One bar, over positions of the log."""

    def __init__(self, progress: Progress, title: str, start: int) -> None:
        self._progress = progress
        self._start = start
        self._task = progress.add_task(title, total=None, completed=start, events=0)

    def move(self, position: int, head: int, events: int | None = None) -> None:
        """Stands at a position of a log that ends at `head`, after so many events; by default one for each position."""
        gone_by = position - self._start if events is None else events
        self._progress.update(self._task, completed=position, total=max(head, position), events=gone_by)


@contextmanager
def bar(title: str, start: int = 0, unit: str = "events") -> Iterator[Bar]:
    """A bar while the block runs.

    Args:
        title: what is going on.
        start: the position where it begins.
        unit: what goes by.
    """
    with bars([title], start, unit) as (shown,):
        yield shown


@contextmanager
def bars(titles: Sequence[str], start: int = 0, unit: str = "events") -> Iterator[list[Bar]]:
    """Several bars while the block runs, each with a title; they may be moved from any thread."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        Rate(unit),
        TimeRemainingColumn(),
        console=error_console(),
    )
    with progress:
        yield [Bar(progress, title, start) for title in titles]
