"""What every server that the tests start for themselves needs: a port, a user without rights, and an end."""

import contextlib
import os
import pwd
import random
import socket
import subprocess
from pathlib import Path
from typing import Any

UNPRIVILEGED = "nobody"  # who runs a server when we are root, since most refuse to run as root

# Ends the server and removes its folder once this process is gone, however it went: the standard input of
# this script is a pipe that only we hold open.
_WATCH = """
read -r _
kill -"$3" "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" && sleep 0.2; done
rm -rf -- "$2"
"""


def watch(process: int, folder: Path, signal: str) -> "subprocess.Popen[bytes]":
    """A process that ends a server after us.

    Args:
        process: the server's; negative for its whole group.
        folder: the server's, to be removed.
        signal: the name of the signal that ends it at once.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "sh", str(process), str(folder), signal],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def unwatch(watching: "subprocess.Popen[bytes] | None") -> None:
    """Ends the watch of a server that was ended by us."""
    if watching is not None:
        watching.kill()
        watching.communicate()


def as_unprivileged() -> dict[str, Any]:
    """Arguments of `Popen` for a server: as the unprivileged user where we are root, and apart from our Ctrl-C."""
    account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    return {
        "start_new_session": True,
        "user": account and account.pw_uid,
        "group": account and account.pw_gid,
        "extra_groups": account and [],
    }


def free_port() -> int:
    """Find a free port below those that the system gives to clients.

    Within that range a client that retries while the server is stopped could be given the server's own port.
    """
    choice = random.SystemRandom()
    while True:
        port = choice.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
