"""A real RabbitMQ for tests and benchmarks: EVENTFOLD_TEST_RABBITMQ_URL, or a private one from a Debian package."""

import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services import debian
from tests.services.maven import CannotFetchError
from tests.services.private import free_port, unwatch, watch
from tests.services.server import PrivateServer, ServerUnavailableError, said

SCRIPT = "lib/rabbitmq/bin/rabbitmq-server"
LARGEST = 2 << 20
NAMES_SECONDS = 20.0


class RabbitmqServer(PrivateServer):
    """See PrivateServer. No message may be larger than 2 MB."""

    name = "RabbitMQ"
    variable = "EVENTFOLD_TEST_RABBITMQ_URL"

    @staticmethod
    def version(url: str) -> str:
        found = re.search(r"\x07versionS....([\d.]+)", said(url, b"AMQP\x00\x00\x09\x01"), re.DOTALL)
        if found is None:
            raise ValueError("it does not say its version")
        return found[1]

    def __init__(self) -> None:
        super().__init__()
        self._names: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        if shutil.which("erl") and Path("/usr", SCRIPT).exists():
            root, self.origin = Path("/"), "started from the installed one"
        else:
            try:
                root = debian.folder_of("rabbitmq-server")
            except CannotFetchError as error:
                raise ServerUnavailableError(f"{error}; install rabbitmq-server, or set {self.variable}") from error
            self.origin = "started from Debian's package"
        self._script, self._libraries = root / "usr" / SCRIPT, debian.libraries_of(root)
        self.url = f"amqp://guest:guest@127.0.0.1:{free_port()}"
        self._write_erl(root / "usr/lib/erlang")
        settings = {
            "listeners.tcp.local": f"127.0.0.1:{self.port}",
            "max_message_size": LARGEST,
            "disk_free_limit.absolute": "1MB",
            "log.file.level": "warning",
        }
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.folder / "rabbitmq.conf").write_text(text, encoding="utf-8")

    def _write_erl(self, root: Path) -> None:
        """An `erl` that works wherever its files lie; Debian's knows one place only."""
        (runtime,) = root.glob("erts-*/bin")
        script = f"#!/bin/sh\nexport ROOTDIR='{root}' BINDIR='{runtime}' EMU=beam PROGNAME=erl\nexec '{runtime}/erlexec' \"$@\"\n"
        program = self.folder / "bin" / "erl"
        program.parent.mkdir()
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
        self._names_port, self._nodes_port = free_port(), free_port()
        self._names = subprocess.Popen(
            [runtime / "epmd", "-address", "127.0.0.1", "-port", str(self._names_port)], start_new_session=True
        )
        self._names_watch = watch(self._names.pid, self.folder, "KILL")

    def kill(self) -> None:
        """Crash, as soon as it will know its queues again: it writes their names seconds after it has made them."""
        deadline = time.monotonic() + NAMES_SECONDS
        while not self._knows_its_queues() and time.monotonic() < deadline:
            time.sleep(0.05)
        super().kill()

    def _knows_its_queues(self) -> bool:
        names = b"".join(each.read_bytes() for each in self.folder.glob("data/*/quorum/*/names.dets"))
        return all(each.parent.name.encode() in names for each in self.folder.glob("data/*/quorum/*/*/config"))

    def close(self) -> None:
        """Ends the daemon that knows the node's name too.

        It outlives the node that is killed, as it does elsewhere: a new one would take the node's next life for its first.
        """
        names, self._names = self._names, None
        super().close()
        if names is not None:
            names.kill()
            names.wait()
            unwatch(self._names_watch)

    def command(self) -> Sequence[str]:
        return [str(self._script)]

    def environment(self) -> Mapping[str, str]:
        inherited = super().environment()
        folder = str(self.folder)
        return {
            **inherited,
            "PATH": f"{folder}/bin:{inherited['PATH']}",
            "LD_LIBRARY_PATH": self._libraries,
            "RABBITMQ_NODENAME": "eventfold@localhost",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder}/feature_flags",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_DIST_PORT": str(self._nodes_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
        }

    def answers(self) -> bool:
        try:
            self.version(self.url)
        except (OSError, ValueError):
            return False
        return True
