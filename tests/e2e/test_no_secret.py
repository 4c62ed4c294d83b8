"""No secret in database, bus, log, arguments, environment or on a device's disk: it is searched
for, by its value, everywhere and while runs are live."""

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import nats
import pytest

from support.house import House
from support.servers import RcloneS3
from support.sshd import Sshd

pytestmark = [pytest.mark.e2e, pytest.mark.s3, pytest.mark.sftp]

PASSWORD = "a person's password: 7f3a91c5"
"""Of a repository."""

WITNESS = "name of the bucket"
"""No secret: it must be found, or the search is blind."""


def forms(secret: str) -> tuple[bytes, ...]:
    """As it is, and as it may be written in JSON or base64."""
    raw = secret.encode()
    return raw, base64.b64encode(raw).rstrip(b"="), base64.b64encode(raw)[4:-4]


class Search:
    """Where the values were seen."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._forms = {name: forms(value) for name, value in secrets.items()}
        self.found: set[tuple[str, str]] = set()
        self.looked_at = 0

    def look(self, where: str, content: bytes) -> None:
        self.looked_at += 1
        for name, values in self._forms.items():
            if any(value in content for value in values):
                self.found.add((name, where))

    def files(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                try:
                    self.look(str(path), path.read_bytes())
                except FileNotFoundError:
                    continue  # the database has just put it away

    def processes(self) -> int:
        """Arguments and environment of all but the tests' own servers; how many were a run's."""
        live = 0
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # it has just ended
            if b"serve\0s3" in command:
                continue
            live += b"HOLDFAST_RUN=" in environment
            self.look(f"process {command[:60]!r}", command + b"\0" + environment)
        return live


@contextmanager
def listening(url: str, search: Search) -> Iterator[list[str]]:
    """Everything that is said on the bus, questions and answers included."""
    subjects: list[str] = []
    ready, done = Event(), Event()

    async def listen() -> None:
        async def heard(message: Any) -> None:
            subjects.append(message.subject)
            headers = repr(message.headers).encode()
            search.look(f"subject {message.subject}", message.data + headers)

        connection = await nats.connect(url)
        await connection.subscribe(">", cb=heard)
        await connection.flush()
        ready.set()
        await asyncio.to_thread(done.wait)
        await connection.close()

    thread = Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    assert ready.wait(30)
    try:
        yield subjects
    finally:
        done.set()
        thread.join()


def test_no_secret_is_anywhere_while_runs_are_live(
    make_house: Callable[..., House],
    nats_url: str,
    s3_server: RcloneS3,
    sshd: Sshd,
    tmp_path: Path,
) -> None:
    key = [each for each in sshd.private_key.splitlines() if "-----" not in each]
    search = Search(
        {
            "repository password": PASSWORD,
            "S3 key": s3_server.secret_key,
            "SSH key": key[1],
            WITNESS: "no-secret",
        }
    )
    much = tmp_path / "much"
    much.mkdir()
    for number in range(2):
        (much / str(number)).write_bytes(os.urandom(30_000_000))

    with listening(nats_url, search) as subjects:
        house = make_house(HOLDFAST_NATS_URL=nats_url)
        api = house.api
        s3_server.make_bucket("no-secret")
        cloud = api.post(
            "/backup/destinations/s3",
            {
                "name": "cloud",
                "endpoint": s3_server.endpoint,
                "bucket": "no-secret",
                "region": "us-east-1",
                "access_key": s3_server.access_key,
                "secret_key": s3_server.secret_key,
                "repo_password": PASSWORD,
                "append_only": True,
            },
        )
        far = api.sftp("synology", sshd, tmp_path / "synology", repo_password=PASSWORD)
        pi = api.ssh_device("pi", sshd)
        policy = api.policy("both", cloud, far)
        body = {"name": "on the pi", "device_id": pi["id"], "paths": [str(much)]}
        ties = [
            api.configuration(app, policy)
            for app in (api.app("here", much), api.post("/apps", body))
        ]
        started = [api.start(each)["run_id"] for each in ties]
        live = 0
        while any(api.run(each)["completed_at"] is None for each in started):
            live = max(live, search.processes())
        ended = [api.run(each) for each in started]
        search.files(house.data)
        search.look("log", house.process.log.read_bytes())
        search.files(tmp_path / "nats")
        search.files(Path.home() / ".cache" / "holdfast")

    assert [each["status"] for each in ended] == ["success", "success"], ended
    assert live, "no restic was seen"
    assert any(each.startswith("evt.") for each in subjects)
    assert any(each.startswith("catalog.") for each in subjects)
    assert search.looked_at > 1000
    witnessed = {where for name, where in search.found if name == WITNESS}
    for place in ("subject ", "process ", f"{house.data}/postgres"):
        assert any(where.startswith(place) for where in witnessed), place
    assert {each for each in search.found if each[0] != WITNESS} == set()
