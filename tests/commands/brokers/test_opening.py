"""A URL says which broker, and what is wrong with it without giving its secrets away."""

import builtins
import importlib.metadata
import sys
from typing import Any

import pytest

from commands.brokers import opening
from commands.brokers.address import read_address
from commands.brokers.memory import MemoryBroker
from commands.brokers.opening import check_broker, open_broker
from eventstore import DefinitionError, InvalidInput, Unsupported


@pytest.mark.parametrize(
    ("url", "description"),
    [
        ("memory://bank", "memory bank"),
        ("nats://ann:hunter2@one:4222,two?replicas=3&mode=structured", "NATS one:4222, two"),
        ("tls://one", "NATS one"),
        ("kafka://ann:hunter2@one:9092,two:9092?tls=yes&sasl=PLAIN", "Kafka one:9092, two:9092"),
        ("amqp://ann:hunter2@one:5672/bank", "RabbitMQ one:5672 bank"),
        ("redis://:hunter2@one/2?keep=1000&timeout=3", "Redis one 2"),
    ],
)
def test_a_broker_says_where_it_is_and_no_secret(url: str, description: str) -> None:
    assert open_broker(url).description == description


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://ann:hunter2@host", "expected a URL that begins with memory://, nats://.*, got 'ftp'"),
        ("ann:hunter2@host", "expected a URL that begins with .* got one without `://`"),
        (
            "nats://host?partition=3",
            "expected only the options mode, partitions, replicas, timeout in the URL, got partition",
        ),
        ("kafka://host?partitions=0", "partitions: expected a number from 1 to 1,000, got '0'"),
        ("kafka://host?sasl=GSSAPI", "sasl: expected PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512, got 'GSSAPI'"),
        ("amqp://host?mode=xml", "mode: expected binary or structured, got 'xml'"),
        ("redis://host?keep=all", "keep: expected a number from 1 to"),
        ("redis://one,two", "expected a URL such as redis://host:6379/0"),
        ("nats://ann:hunter2@?timeout=1", "expected a host in the URL"),
        ("nats://ann:hunter2@[::1:4222", "expected a host as in nats://127.0.0.1 or .* got none that can be read"),
    ],
)
def test_a_url_that_is_not_acceptable_is_refused_with_what_is_expected_and_no_secret(url: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as refused:
        open_broker(url)

    assert "hunter2" not in str(refused.value)


def test_what_the_url_says_is_read_and_the_password_is_not_shown() -> None:
    address = read_address("kafka://an%40n:p%2Fw@one:1,two:2/x?partitions=3&replicas=2&mode=structured&timeout=4")

    assert (address.user, address.password, address.hosts) == ("an@n", "p/w", ("one:1", "two:2"))
    assert (address.partitions, address.replicas, address.structured, address.seconds) == (3, 2, True, 4.0)
    assert "p/w" not in repr(address)


@pytest.mark.parametrize(
    ("scheme", "extra"), [("nats", "nats"), ("kafka", "kafka"), ("amqps", "rabbitmq"), ("redis", "redis")]
)
def test_a_library_that_is_not_installed_is_asked_for_by_its_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str
) -> None:
    for name in [each for each in sys.modules if each.startswith(f"commands.brokers.{extra}")]:
        monkeypatch.delitem(sys.modules, name)
    really = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in {"nats", "aiokafka", "aiormq", "redis"}:
            raise ImportError(f"No module named {name!r}")
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(Unsupported, match=rf"eventfold\[{extra}\]"):
        open_broker(f"{scheme}://host")


def test_another_package_may_bring_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("pigeon", "commands.brokers.opening:open_broker", "eventfold.brokers")
    monkeypatch.setattr(opening, "entry_points", lambda group: [entry] if group == "eventfold.brokers" else [])
    monkeypatch.setattr(
        importlib.metadata.EntryPoint, "load", lambda _: lambda url: open_broker(f"memory://{url[-4:]}")
    )

    assert open_broker("pigeon://loft").description == "memory loft"


class Connection:
    async def publish(self) -> None:
        """As a broker does it."""


async def connect() -> MemoryBroker:
    return MemoryBroker()


def connect_to(name: str) -> MemoryBroker:
    return MemoryBroker(name)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Connection(), r"got a Connection, which is of one event loop.*broker=lambda: Connection\(\.\.\.\)"),
        (Connection, "got a Connection, which is of one event loop"),
        (7, "expected a URL, or a function that makes a connection, got 7"),
        (connect, "expected a plain function without parameters"),
        (connect_to, "expected a plain function without parameters"),
    ],
)
def test_what_several_event_loops_cannot_share_is_refused_with_what_to_give_instead(given: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        check_broker(given)


def test_a_function_makes_a_connection_each_time_and_a_broker_in_memory_is_one_for_all() -> None:
    one, made = MemoryBroker(), check_broker(lambda: MemoryBroker("x"))

    assert made is not None
    assert open_broker(made) is not open_broker(made)
    assert open_broker(one) is open_broker(one) is one
    with pytest.raises(DefinitionError, match="to make a broker, got None"):
        open_broker(lambda: None)  # type: ignore[arg-type, return-value]  # refused
