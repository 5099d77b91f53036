"""The private servers of the brokers: they come back where they were, and end with whoever started them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services import debian
from tests.services.kafka import KafkaServer
from tests.services.nats import NatsServer
from tests.services.rabbitmq import RabbitmqServer
from tests.services.redis import RedisServer
from tests.services.server import PrivateServer, ServerUnavailableError, open_server

ROOT = Path(__file__).parents[2]
QUICK = [NatsServer, RedisServer]
SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in (KafkaServer, RabbitmqServer)]  # seconds for each start


@pytest.mark.parametrize("kind", [*QUICK, *SLOW])
def test_a_server_that_is_killed_or_stopped_comes_back_at_its_url_and_leaves_nothing(kind: type[PrivateServer]) -> None:
    with kind() as server:
        url, folder = server.url, server.folder
        with pytest.raises(RuntimeError, match="already running"):
            server.start()

        server.kill()
        with pytest.raises(OSError, match=r"refused|reset"):
            kind.version(url)
        server.start()
        server.restart()

        assert server.url == url
        assert kind.version(url)
    assert not folder.exists()


@pytest.mark.parametrize("kind", [*QUICK, *SLOW])
def test_a_server_ends_with_the_process_that_started_it(kind: type[PrivateServer]) -> None:
    program = f"""
import os, signal
from {kind.__module__} import {kind.__name__}
server = {kind.__name__}()
server.start()
print(server.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr

    folder = ended.stdout.strip()
    deadline = time.monotonic() + 20
    while Path(folder).exists() or processes_of(folder):
        assert time.monotonic() < deadline, f"still there: {processes_of(folder)}"
        time.sleep(0.05)


def processes_of(folder: str) -> list[str]:
    """The processes that work in a folder, those that are gone but for their entry left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(folder):
                found.append((process / "cmdline").read_text(encoding="utf-8"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("kind", [NatsServer, RedisServer, KafkaServer, RabbitmqServer])
def test_a_server_that_the_environment_names_must_answer(
    kind: type[PrivateServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kind.variable, "any://127.0.0.1:1")

    with pytest.raises(ServerUnavailableError, match=f"named by {kind.variable} does not answer"), open_server(kind):
        pass


def test_a_server_that_the_environment_names_takes_the_place_of_a_private_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with NatsServer() as given:
        monkeypatch.setenv(NatsServer.variable, given.url)

        with open_server(NatsServer) as found:
            assert (found.url, found.origin) == (given.url, f"named by {NatsServer.variable}")
        assert given.folder.exists()


def test_the_libraries_of_an_unpacked_package_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "usr" / "lib" / "x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libone.so.1").touch()
    (folder / "libtwo.so.2").touch()

    assert debian.libraries_of(tmp_path) == str(folder)
