"""A real Ceph radosgw for the tests: object lock, bucket policies, users.

One monitor, one OSD in memory and the gateway, in the foreground, without systemd: they die
with the process that started them.  About ten seconds to start, so a session has one.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from support.servers import free_port

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "ceph", "ceph-authtool", "monmaptool")
INSTALL = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"

START_SECONDS = 90

CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
keyring = {home}/keyring
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
run dir = {home}
admin socket = {home}/$name.asok
pid file = {home}/$name.pid
log file = {home}/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd crush chooseleaf type = 0
mon data avail warn = 1
mon data avail crit = 1
debug ms = 0
crush location = host=vm root=default
osd pool default pg autoscale mode = off
[mon]
mon data = {home}/mon
[osd]
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd class load list = *
osd class default list = *
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 32
rgw dns name = localhost
rgw enable usage log = false
rgw gc obj min wait = 5
"""

KEYS = (
    ("mon.", ("mon", "allow *")),
    ("client.admin", ("mon", "allow *", "osd", "allow *", "mgr", "allow *")),
    ("osd.0", ("mon", "allow profile osd", "osd", "allow *")),
    ("client.rgw", ("mon", "allow rw", "osd", "allow rwx")),
)


def missing_programs() -> list[str]:
    """What of Ceph is not installed."""
    return [each for each in PROGRAMS if shutil.which(each) is None]


class User:
    """Whose keys they are, and the name by which a bucket policy knows them."""

    def __init__(self, access_key: str, secret_key: str, principal: str) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.principal = principal


class Radosgw:
    """The gateway and what it stands on; ``data`` is all theirs."""

    def __init__(self, data: Path) -> None:
        # A socket's path may have 107 characters, which pytest's folders may exceed.
        self._home = Path("/tmp") / f"rgw-{os.getpid()}-{uuid4().hex[:6]}"
        self._conf = self._home / "ceph.conf"
        self._log = data / "radosgw.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._session = botocore.session.Session()
        self._clients: dict[str, Any] = {}
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self) -> "Radosgw":
        for folder in ("mon", "osd"):
            (self._home / folder).mkdir(parents=True)
        self._conf.write_text(
            CONF.format(
                fsid=uuid4(), home=self._home, port=self.port, v1=free_port(), v2=free_port()
            )
        )
        keyring = str(self._home / "keyring")
        self._run("ceph-authtool", "--create-keyring", keyring)
        for name, caps in KEYS:
            pairs = [
                part
                for each in zip(caps[::2], caps[1::2], strict=True)
                for part in ("--cap", *each)
            ]
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *pairs)
        address = self._conf.read_text().split("mon host = ")[1].splitlines()[0]
        fsid = self._conf.read_text().split("fsid = ")[1].splitlines()[0]
        monmap = str(self._home / "monmap")
        self._run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        osd = str(uuid4())
        self._run("ceph", "--connect-timeout", "30", "osd", "new", osd)
        self._run("ceph", "auth", "import", "-i", keyring)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        self._daemon("radosgw", "-n", "client.rgw")
        self._wait_for(self._answers, "radosgw answers")
        self.owner = self.user()
        return self

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    # ---- who may

    def user(self) -> User:
        """A new tenant: whose buckets are its own."""
        uid = f"u{uuid4().hex[:8]}"
        made = User(f"AK{uid.upper()}", f"SK{uuid4().hex}", f"arn:aws:iam:::user/{uid}")
        self._admin("user", "create", "--uid", uid, "--display-name", uid, *_keys(made))
        return made

    def subuser(self, owner: User) -> User:
        """Other keys of the same account, for everyday use."""
        uid = owner.principal.rpartition("/")[2]
        name = f"{uid}:{uuid4().hex[:6]}"
        made = User(
            f"AK{uuid4().hex[:10].upper()}", f"SK{uuid4().hex}", f"arn:aws:iam:::user/{name}"
        )
        self._admin(
            "subuser", "create", "--uid", uid, "--subuser", name,
            "--access", "readwrite", "--key-type", "s3", *_keys(made),
        )  # fmt: skip
        return made

    # ---- what is there

    def client(self, user: User | None = None) -> Any:
        """botocore's own client, as the given user (the owner)."""
        who = user or self.owner
        if who.access_key not in self._clients:
            self._clients[who.access_key] = self._session.create_client(
                "s3",
                endpoint_url=self.endpoint,
                region_name="us-east-1",
                aws_access_key_id=who.access_key,
                aws_secret_access_key=who.secret_key,
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
            )
        return self._clients[who.access_key]

    def bucket(self, *, lock: bool = False, versioned: bool = False) -> str:
        """A new bucket of the owner's."""
        name = f"b{uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def put_policy(self, bucket: str, policy: Any) -> None:
        self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def versions(self, bucket: str, prefix: str = "") -> list[dict[str, Any]]:
        """Every version that is no delete marker."""
        pages = self.client().get_paginator("list_object_versions")
        return [
            each
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for each in page.get("Versions", ())
        ]

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The names of what is there now."""
        pages = self.client().get_paginator("list_objects_v2")
        return [
            each["Key"]
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for each in page.get("Contents", ())
        ]

    # ---- how it is started

    def _run(self, program: str, *arguments: str) -> bytes:
        with self._log.open("ab") as log:
            return subprocess.run(
                [program, *arguments],
                check=True,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                timeout=START_SECONDS,
            ).stdout

    def _admin(self, *arguments: str) -> Any:
        return json.loads(self._run("radosgw-admin", "-n", "client.rgw", *arguments))

    def _daemon(self, program: str, *arguments: str) -> None:
        with self._log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--", program, "-f", *arguments],
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                )
            )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self._conf)}

    def _answers(self) -> bool:
        nobody = User("AKNOBODY", "SKNOBODY", "")
        try:
            self.client(nobody).list_buckets()
        except ClientError as error:
            return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403)
        except Exception:  # noqa: BLE001 - it has not opened its port yet
            return False
        return True

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for process in self._processes:
                assert process.poll() is None, f"{process.args!r} ended:\n{self._tail()}"
            assert time.monotonic() < deadline, f"not in time: {what}\n{self._tail()}"
            time.sleep(0.05)

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


def _keys(user: User) -> tuple[str, ...]:
    return ("--access-key", user.access_key, "--secret-key", user.secret_key)
