"""Sends purchases through `app.dispatch` from several threads, so that their appends share commits."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

from eventfold import Application
from examples.cdnow.customer import RecordPurchase

THREADS = 16
REPORT_EVERY = 50


def replay(
    app: Application,
    purchases: Iterable[RecordPurchase],
    on_dispatched: Callable[[int], object] = lambda _count: None,
    threads: int = THREADS,
) -> None:
    """Dispatches every purchase.

    A customer's purchases all go through one thread, in their order, so they never conflict. An error, and Ctrl-C, stops all
    threads after the command in hand.

    Args:
        app: where to.
        purchases: in the order in which they happened.
        on_dispatched: told now and then how many more are done, from any of the threads.
        threads: how many.
    """
    shares: list[list[RecordPurchase]] = [[] for _ in range(threads)]
    for each in purchases:
        shares[crc32(each.customer_id.encode()) % threads].append(each)
    stop = threading.Event()
    with ThreadPoolExecutor(threads, thread_name_prefix="replay") as pool:
        try:
            for done in [pool.submit(_dispatch_all, app, share, on_dispatched, stop) for share in shares]:
                done.result()
        finally:
            stop.set()


def _dispatch_all(
    app: Application, share: Sequence[RecordPurchase], on_dispatched: Callable[[int], object], stop: threading.Event
) -> None:
    for start in range(0, len(share), REPORT_EVERY):
        part = share[start : start + REPORT_EVERY]
        for command in part:
            if stop.is_set():
                return
            app.dispatch(command)
        on_dispatched(len(part))
