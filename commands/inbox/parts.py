"""Parts of a batch that are handled at the same time, split by key."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait

from commands.inbox.arrival import Arrival


class Parts:
    """Splits the batches of a worker.

    Args:
        most: into so many parts.
        threads: where they are handled.
    """

    def __init__(self, most: int, threads: Executor) -> None:
        self._most, self._threads = most, threads

    def split(self, arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
        """Parts about equally long; messages of one key are in one of them, in order.

        What is passed over is in none, and neither is what has no identity: nobody would know that it was handled before.
        """
        of_key: dict[str, list[Arrival]] = {}
        for each in arrivals:
            if each.wanted and each.key is not None and each.identity is not None:
                of_key.setdefault(each.key, []).append(each)
        parts: list[list[Arrival]] = [[] for _ in range(min(self._most, len(of_key)))]
        for messages in sorted(of_key.values(), key=len, reverse=True):
            min(parts, key=len).extend(messages)
        return parts

    def at_once(self, handle: Callable[[Sequence[Arrival]], bool], parts: Sequence[Sequence[Arrival]]) -> bool:
        """Handles parts at the same time, and waits for all of them; whether any gave True.

        Raises:
            Exception: what the first of them has raised that failed.
        """
        under_way = [self._threads.submit(handle, each) for each in parts]
        wait(under_way)
        outcomes = [each.result() for each in under_way]  # of all of them, since one that has failed must be heard of
        return any(outcomes)
