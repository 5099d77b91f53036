"""The broker of the demo: one that is named by a URL, or one that is started for it and ends with it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console

KINDS = ("memory", "nats", "kafka", "rabbitmq", "redis")


class DemoBroker(NamedTuple):
    """Where messages go.

    Attributes:
        url: of the broker.
        said: what it is.
        in_one_process: whether it is in this process's memory, so that both services must be, too.
    """

    url: str
    said: str
    in_one_process: bool = False


@contextmanager
def demo_broker(console: Console, wanted: str) -> Iterator[DemoBroker]:
    """A broker while the block runs.

    Args:
        console: where to say that it takes a moment.
        wanted: one of `KINDS`, or a URL.

    Raises:
        ServerUnavailableError: it cannot be started; of `tests.services.server`.
    """
    if wanted == "memory":
        yield DemoBroker(f"memory://orders-{uuid.uuid4().hex}", "through this process's memory", in_one_process=True)
    elif "://" in wanted:
        yield DemoBroker(wanted, "through the broker that was named")
    else:
        from tests.services.server import open_server

        with console.status(f"start {wanted}"):
            opened = open_server(_server_of(wanted))
            server = opened.__enter__()
        try:
            yield DemoBroker(server.url, f"through {wanted}, {server.origin}")
        finally:
            opened.__exit__(None, None, None)


def _server_of(kind: str) -> type:
    from tests.services.kafka import KafkaServer
    from tests.services.nats import NatsServer
    from tests.services.rabbitmq import RabbitmqServer
    from tests.services.redis import RedisServer

    return {"kafka": KafkaServer, "nats": NatsServer, "rabbitmq": RabbitmqServer, "redis": RedisServer}[kind]
