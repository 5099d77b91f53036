"""Runs one of the services until SIGTERM or Ctrl-C.

python -m examples.orders.serve orders sqlite:///orders.db nats://127.0.0.1:4222
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence

from examples.orders.services import SERVICES


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the service; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.orders.serve", description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("database", help="the service's own")
    parser.add_argument("broker", help="the one that both services have")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=f"{options.service}: %(message)s")
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    with SERVICES[options.service](options.database, options.broker) as app, app.worker():
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
