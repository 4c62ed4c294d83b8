"""Networks of their own, so that a server can be where only another one reaches it."""

import contextlib
import os
import signal
import subprocess
import sys

LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
"""

DOOR = """
import socket, subprocess, sys
door = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=50)
while True:
    visitor, _ = door.accept()
    with visitor:
        subprocess.Popen(sys.argv[2:], stdin=visitor, stdout=visitor)
"""
"""Gives each connection to a program of its own, which may be in another network."""


class Network:
    """Nothing but a loopback, which is another one than the machine's."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "--"),
                *("sh", "-c", '"$1" -c "$2" && echo ready && exec sleep infinity', "network"),
                *(sys.executable, LOOPBACK_UP),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        with self._holder.stdout as said:
            assert said.readline() == b"ready\n"

    @property
    def entered(self) -> tuple[str, ...]:
        """What to put before a command that is to be in it."""
        return ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._holder.pid, signal.SIGKILL)
        self._holder.wait()


def door(port: int, *argv: str) -> tuple[str, ...]:
    """A command that listens at *port*, and starts *argv* for each connection."""
    return (sys.executable, "-c", DOOR, str(port), *argv)


def can_have_networks() -> bool:
    """Whether this user may make one here."""
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return tried.returncode == 0
