import subprocess
from pathlib import Path

import pytest

from tests.services.private import free_port, unwatch, watch


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_a_watched_server_ends_with_whoever_started_it_and_its_folder_goes(tmp_path: Path, group: bool) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = subprocess.Popen(["sh", "-c", "sleep 600 & wait"] if group else ["sleep", "600"], start_new_session=True)
    watching = watch(-server.pid if group else server.pid, folder, "KILL")

    assert watching.stdin is not None
    watching.stdin.close()  # as the system does when its owner is gone, however it went

    assert server.wait(20) == -9
    watching.wait(20)
    assert not folder.exists()


def test_who_ends_his_server_himself_ends_the_watch(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as server:
        watching = watch(server.pid, tmp_path, "KILL")

        unwatch(watching)

        assert watching.returncode is not None
        assert server.poll() is None
        server.kill()
    assert tmp_path.exists()


def test_a_free_port_is_below_those_that_clients_are_given() -> None:
    assert 20000 <= free_port() < 32000
