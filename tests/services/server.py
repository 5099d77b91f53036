"""What the private servers of the message brokers have in common: they start in a folder of their own, end, and start again."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self
from urllib.parse import urlsplit

from tests.services.private import unwatch, watch

START_SECONDS = 120.0
STOP_SECONDS = 30.0


class ServerUnavailableError(Exception):
    """There is no such server to be had here; the message says why."""


class Server(Protocol):
    """A server that answers at `url`, whoever started it."""

    url: str
    origin: str


class NamedServer:
    """One that a variable of the environment names."""

    def __init__(self, url: str, origin: str) -> None:
        self.url, self.origin = url, origin


class PrivateServer:
    """A private server on a free loopback port, in a folder of its own that `close` removes.

    Between `start` and `close` it can be stopped, killed and restarted: its data and its URL stay the same. A subclass says how it
    is prepared, how it is started and when it answers.
    """

    name: ClassVar[str]
    variable: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.url = self.origin = ""
        self._owner = os.getpid()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    @staticmethod
    def version(url: str) -> str:
        """What the server at a URL says it is, such as 7.0.15."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what it needs in `folder`, once; set `url` and `origin`."""
        raise NotImplementedError

    def command(self) -> Sequence[str | Path]:
        """What starts it, in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables for it, and none of ours."""
        return {"PATH": os.defpath, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def answers(self) -> bool:
        """Whether it is up, and is this one and no other that took its port."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """Where it keeps everything."""
        assert self._folder is not None
        return self._folder

    @property
    def port(self) -> int:
        """Where it listens."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, the first time with a new folder, and wait until it answers."""
        if self._process is not None:
            raise RuntimeError("this server is already running")
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix=f"eventfold-{self.name.lower()}-"))
                atexit.register(self.close)
                self.prepare()
            self._launch()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Shut down in good order. Does nothing when the server is not running."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Crash: end every process of the server at once."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: it takes connections, and answers nothing until `resume`."""
        self._tell(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._tell(signal.SIGCONT)

    def _tell(self, what: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, what)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its folder. Does nothing the second time, nor in a forked child."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        self._end(signal.SIGKILL)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _launch(self) -> None:
        log = self.folder / "output"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,
            )
        self._watch = watch(-self._process.pid, self.folder, "KILL")
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                raise ServerUnavailableError(f"{self.name} did not start: {said[-2000:]}")
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        watching, self._watch = self._watch, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how) if how == signal.SIGKILL else process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            with contextlib.suppress(ProcessLookupError):  # what it has left behind
                os.killpg(process.pid, signal.SIGKILL)
        unwatch(watching)


@contextlib.contextmanager
def open_server(kind: type[PrivateServer]) -> Iterator[Server]:
    """Use the server that its variable of the environment names, or else a private one while the block runs."""
    given = os.environ.get(kind.variable)
    if not given:
        with kind() as private:
            yield private
        return
    try:
        kind.version(given)
    except (OSError, ValueError) as error:
        raise ServerUnavailableError(f"the server named by {kind.variable} does not answer: {error}") from error
    yield NamedServer(given, f"named by {kind.variable}")


def said(url: str, question: bytes = b"") -> str:
    """What a server says first, or to a question."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 2) as connection:
        connection.settimeout(2)
        connection.sendall(question)
        return connection.recv(4096).decode(errors="replace")
