"""A real Redis for tests and benchmarks: EVENTFOLD_TEST_REDIS_URL, or a private one from a Debian package."""

import re
import shutil
from collections.abc import Mapping, Sequence

from tests.services import debian
from tests.services.maven import CannotFetchError
from tests.services.private import free_port
from tests.services.server import PrivateServer, ServerUnavailableError, said


class RedisServer(PrivateServer):
    """See PrivateServer. What it has answered to is on the disk; no value may be larger than 2 MB."""

    name = "Redis"
    variable = "EVENTFOLD_TEST_REDIS_URL"

    @staticmethod
    def version(url: str) -> str:
        found = re.search(r"redis_version:(\S+)", said(url, b"INFO server\r\n"))
        if found is None:
            raise ValueError("it does not say its version")
        return found[1]

    def prepare(self) -> None:
        installed = shutil.which("redis-server")
        self._libraries = ""
        if installed is not None:
            self._program, self.origin = installed, "started from the installed one"
        else:
            try:
                unpacked = debian.folder_of("redis-server")
            except CannotFetchError as error:
                raise ServerUnavailableError(f"{error}; install redis-server, or set {self.variable}") from error
            self._program, self.origin = str(unpacked / "usr/bin/redis-server"), "started from Debian's package"
            self._libraries = debian.libraries_of(unpacked)
        self.url = f"redis://127.0.0.1:{free_port()}"

    def command(self) -> Sequence[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "proto-max-bulk-len": "2mb",
        }
        return [self._program, *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "LD_LIBRARY_PATH": self._libraries}

    def answers(self) -> bool:
        try:
            return str(self.folder) in said(self.url, b"CONFIG GET dir\r\n")
        except OSError:
            return False
