"""A real Kafka for tests and benchmarks: EVENTFOLD_TEST_KAFKA_URL, or a private one from jars that Maven knows."""

import base64
import socket
import struct
import uuid
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.services.java import find_java
from tests.services.maven import CannotFetchError, jars_of
from tests.services.private import free_port
from tests.services.server import PrivateServer, ServerUnavailableError

VERSION = "4.0.0"
ARTIFACTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
QUICK_START = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
QUIET = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


class KafkaServer(PrivateServer):
    """See PrivateServer: one node, which is broker and controller."""

    name = "Kafka"
    variable = "EVENTFOLD_TEST_KAFKA_URL"

    @staticmethod
    def version(url: str) -> str:
        """The newest version of the API by which it tells what it can do: all that it says of itself."""
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 9092), 2) as connection:
            connection.settimeout(5)
            request = struct.pack(">hhih", 18, 0, 1, -1)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(4096)
        if len(answer) < 10:
            raise ValueError("it does not say what it can do")
        return f"with {struct.unpack('>i', answer[10:14])[0]} APIs"

    def prepare(self) -> None:
        java = find_java(17, 99)
        if java is None:
            raise ServerUnavailableError(
                f"Kafka {VERSION} needs Java 17, and none is installed; or set {self.variable}"
            )
        try:
            jars = jars_of(f"kafka-{VERSION}", ARTIFACTS)
        except CannotFetchError as error:
            raise ServerUnavailableError(f"{error}; or set {self.variable}") from error
        self.origin = f"{VERSION} started from the jars that Maven knows"
        self._java = [str(java / "bin" / "java"), *QUICK_START, *QUIET, "-cp", f"{jars}/*"]
        self.url = f"kafka://127.0.0.1:{free_port()}"
        self._configure()

    def _configure(self) -> None:
        controller = free_port()
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "broker.session.timeout.ms": 1000,  # a killed one is not let in again before
            "broker.heartbeat.interval.ms": 200,
            "controller.quorum.election.timeout.ms": 200,
            "controller.quorum.election.backoff.max.ms": 100,
            "controlled.shutdown.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "log.flush.interval.messages": 1,  # what it has confirmed is on the disk
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "server.properties").write_text(text, encoding="utf-8")
        data = self.folder / "data"
        data.mkdir()
        identity = {"version": 1, "cluster.id": _uuid(), "node.id": 1, "directory.id": _uuid()}
        (data / "meta.properties").write_text("".join(f"{k}={v}\n" for k, v in identity.items()), encoding="utf-8")

    def command(self) -> Sequence[str]:
        return [*self._java, "kafka.Kafka", str(self.folder / "server.properties")]

    def answers(self) -> bool:
        return "Kafka Server started" in (self.folder / "output").read_text(errors="replace")


def _uuid() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
