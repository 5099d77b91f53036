"""A real Kafka Connect with Debezium's connector for PostgreSQL, from jars that Maven knows."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.services.java import find_java
from tests.services.kafka import QUICK_START
from tests.services.maven import CannotFetchError, jars_of
from tests.services.private import free_port
from tests.services.server import PrivateServer, ServerUnavailableError

VERSION = "3.1.1.Final"
KAFKA_VERSION = "3.9.0"  # the one that this Debezium is built with; it talks to newer servers
ARTIFACTS = (
    f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
    f"io.debezium:debezium-connector-postgres:{VERSION}",
    f"io.debezium:debezium-core:{VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)


class KafkaConnectServer(PrivateServer):
    """See PrivateServer: one process with one connector in it, in standalone mode.

    Args:
        kafka_url: the Kafka that it writes to.
        connector: its name and configuration, as Kafka Connect takes them.
    """

    name = "Kafka-Connect"

    def __init__(self, kafka_url: str, connector: Mapping[str, Any]) -> None:
        super().__init__()
        self._kafka, self._connector = urlsplit(kafka_url).netloc, connector

    def prepare(self) -> None:
        java = find_java(17, 99)
        if java is None:
            raise ServerUnavailableError(f"Debezium {VERSION} needs Java 17, and none is installed")
        try:
            jars = jars_of(f"debezium-{VERSION}", ARTIFACTS)
        except CannotFetchError as error:
            raise ServerUnavailableError(str(error)) from error
        self.origin = f"Debezium {VERSION} started from the jars that Maven knows"
        self._java = [str(java / "bin" / "java"), *QUICK_START, "-cp", f"{jars}/*"]
        self.url = f"http://127.0.0.1:{free_port()}"
        settings = {
            "bootstrap.servers": self._kafka,
            "listeners": self.url,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": self.folder / "offsets",
            "offset.flush.interval.ms": 500,
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "connect.properties").write_text(text, encoding="utf-8")
        (self.folder / "connector.json").write_text(json.dumps(self._connector), encoding="utf-8")

    def command(self) -> Sequence[str]:
        files = [str(self.folder / name) for name in ("connect.properties", "connector.json")]
        return [*self._java, "org.apache.kafka.connect.cli.ConnectStandalone", *files]

    def answers(self) -> bool:
        """Whether its connector is at work."""
        status = f"{self.url}/connectors/{self._connector['name']}/status"
        try:
            with urllib.request.urlopen(status, timeout=5) as answer:  # noqa: S310 - our own server's
                tasks = json.load(answer)["tasks"]
        except OSError:
            return False
        return [each["state"] for each in tasks] == ["RUNNING"]
