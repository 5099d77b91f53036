import http.client
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.services.elasticsearch import Elasticsearch, ElasticsearchServer, release_of_the_client
from tests.services.java import find_java
from tests.services.maven import CannotFetchError, extract, is_complete

ROOT = Path(__file__).parents[2]


def put(server: Elasticsearch, number: int) -> None:
    server.ask(f"/numbers/_doc/{number}?refresh=true", "PUT", {"number": number})


def numbers(server: Elasticsearch) -> list[int]:
    hits = server.ask("/numbers/_search?size=100&sort=number")["hits"]["hits"]
    return [hit["_source"]["number"] for hit in hits]


def test_it_answers_and_is_of_the_clients_major_version(elasticsearch_server: Elasticsearch) -> None:
    import elasticsearch

    assert int(elasticsearch_server.version.split(".")[0]) == elasticsearch.__version__[0]


@pytest.mark.slow  # to start it twice more takes a minute; tests of what survives its kills show the same of the first half
def test_kill_stop_and_restart_keep_the_data_and_the_url(private_elasticsearch: ElasticsearchServer) -> None:
    put(private_elasticsearch, 1)

    private_elasticsearch.kill()
    private_elasticsearch.kill()
    with pytest.raises(OSError, match="refused"):
        numbers(private_elasticsearch)
    private_elasticsearch.start()
    assert numbers(private_elasticsearch) == [1]

    put(private_elasticsearch, 2)
    private_elasticsearch.stop()
    private_elasticsearch.start()
    assert numbers(private_elasticsearch) == [1, 2]
    with pytest.raises(RuntimeError, match="already running"):
        private_elasticsearch.start()


def ask_again_and_again(server: ElasticsearchServer) -> None:
    for _ in range(20):  # the last answer may be on its way when a server is paused
        server.ask("/", seconds=0.5)


def test_a_paused_server_answers_nothing_until_it_goes_on(private_elasticsearch: ElasticsearchServer) -> None:
    private_elasticsearch.pause()
    try:
        with pytest.raises(TimeoutError):
            ask_again_and_again(private_elasticsearch)
    finally:
        private_elasticsearch.resume()
    assert private_elasticsearch.version


@pytest.mark.slow  # a third server beside two others takes a minute to start
def test_the_server_ends_with_the_process_that_started_it() -> None:
    program = """
import os, signal
from tests.services.elasticsearch import ElasticsearchServer
server = ElasticsearchServer()
server.start()
print(server.url, server._folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    url, folder = ended.stdout.split()
    deadline = time.monotonic() + 20
    while Path(folder).exists():
        assert time.monotonic() < deadline, "the server's folder is still there"
        time.sleep(0.05)
    with pytest.raises((OSError, http.client.HTTPException)):
        Elasticsearch(url, "").ask("/")


def test_the_newest_java_that_the_server_runs_on_is_found() -> None:
    release = release_of_the_client()
    found = find_java(release.least_java, release.most_java)

    assert found is not None
    assert os.access(found / "bin" / "java", os.X_OK)
    assert find_java(999, 9999) is None


def archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("whole-1/wanted/bin/run", "#!/bin/sh\n")
        made.writestr("whole-1/wanted/readme", "hello")
        made.writestr("whole-1/other/large", "x" * 1000)
    return path


def test_only_the_wanted_folder_is_taken_out_of_an_archive(tmp_path: Path) -> None:
    extract(archive(tmp_path / "a.zip"), "wanted", tmp_path / "to")

    assert (tmp_path / "to" / "readme").read_text(encoding="utf-8") == "hello"
    assert (tmp_path / "to" / "bin" / "run").is_file()
    assert not list((tmp_path / "to").rglob("large"))
    assert is_complete(tmp_path / "to")


def test_an_archive_without_the_wanted_folder_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(CannotFetchError, match="has no folder 'elsewhere'"):
        extract(archive(tmp_path / "a.zip"), "elsewhere", tmp_path / "to")


@pytest.mark.parametrize("damage", ["cut", "removed", "unlisted"])
def test_a_folder_that_lacks_something_is_not_complete(tmp_path: Path, damage: str) -> None:
    to = tmp_path / "to"
    extract(archive(tmp_path / "a.zip"), "wanted", to)

    match damage:
        case "cut":
            (to / "readme").write_text("hell", encoding="utf-8")
        case "removed":
            (to / "bin" / "run").unlink()
        case _:
            (to / "complete.json").unlink()

    assert not is_complete(to)
