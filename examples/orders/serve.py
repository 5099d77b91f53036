"""Runs one of the services until SIGTERM or Ctrl-C. The broker's URL may hold a password, which no list of processes should show.

ORDERS_BROKER=nats://127.0.0.1:4222 python -m examples.orders.serve orders sqlite:///orders.db
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from examples.orders.services import SERVICES

BROKER_VARIABLE = "ORDERS_BROKER"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the service; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.orders.serve", description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("database", help="the service's own")
    options = parser.parse_args(arguments)
    if BROKER_VARIABLE not in os.environ:
        parser.error(f"expected the URL of the broker that both services have in {BROKER_VARIABLE}, got none")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=f"{options.service}: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what concerns us, the broker says itself
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # they wait until somebody asks for them
    with SERVICES[options.service](options.database, os.environ[BROKER_VARIABLE]) as app, app.worker():
        signal.sigwait(ends)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
