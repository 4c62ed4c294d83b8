"""A bucket with policies and Object Lock (a real Ceph gateway), end to end: adding, everyday
work with a key that cannot delete, upkeep with one that can, an attack, and what is left."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from botocore.exceptions import ClientError

from holdfast.bus.bus import Bus
from holdfast.events.retention import PruneRequested
from holdfast.kernel.ids import new_id
from holdfast.restic.tags import MANIFEST
from support.house import OUTCOMES, House, clean_environment, wait_until
from support.radosgw import Radosgw, User
from support.servers import NatsServer
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.e2e, pytest.mark.radosgw, pytest.mark.restic]

PASSWORD = "a person's own password"
PARTS = ("config", "data/", "index/", "keys/", "snapshots/")


class Lab:
    """A Holdfast beside a Ceph gateway."""

    def __init__(self, house: House, nats_url: str, server: Radosgw, restic: Path) -> None:
        self.house = house
        self.api = house.api
        self.server = server
        self._nats_url = nats_url
        self._restic = restic

    def add(self, name: str, bucket: str, user: User, **fields: Any) -> httpx.Response:
        body = {
            "name": name,
            "endpoint": self.server.endpoint,
            "bucket": bucket,
            "region": "us-east-1",
            "prefix": "house",
            "access_key": user.access_key,
            "secret_key": user.secret_key,
            "repo_password": PASSWORD,
            **fields,
        }
        return self.api.http.post("/backup/destinations/s3", json=body)

    def added(self, name: str, bucket: str, user: User, **fields: Any) -> Any:
        answer = self.add(name, bucket, user, **fields)
        assert answer.is_success, answer.text
        return answer.json()

    def protected(self, destination: Any, data: Path) -> Any:
        """A configuration that keeps one snapshot at *destination*."""
        name = destination["name"]
        policy = self.api.policy(name, destination, keep_last=1)
        return self.api.configuration(self.api.app(name, data), policy)

    def runs(self, operation: str, destination: Any) -> list[Any]:
        found = self.api.get("/backup/runs", operation=operation, limit=100)["runs"]
        return [each for each in found if destination["id"] in each["destination_ids"]]

    def next_end(self, operation: str, destination: Any, known: int) -> Any:
        """The newest run of that kind, once there are more than *known* and all have ended."""

        def ended() -> Any:
            found = self.runs(operation, destination)
            if len(found) > known and all(each["status"] in OUTCOMES for each in found):
                return found[0]
            return None

        return wait_until(ended, seconds=120, what=f"{operation} ended")

    def held(self, destination: Any) -> None:
        """Wait until all of the destination is locked."""

        def locked() -> bool:
            view = self.api.get(f"/backup/destinations/{destination['id']}")
            backups = self.api.snapshots(destination_id=destination["id"])
            newest = max((each["completed_at"] or "" for each in backups), default="")
            return (view["protected_at"] or "") > newest

        wait_until(locked, seconds=120, what="the lock holds all")

    def prune(self, destination: Any) -> Any:
        known = len(self.runs("prune", destination))

        async def ask() -> None:
            bus = await Bus.open(self._nats_url, "retention")
            await bus.publish(
                PruneRequested(
                    event_id=new_id(),
                    occurred_at=datetime.now(UTC),
                    run_id=new_id(),
                    destination_id=UUID(destination["id"]),
                )
            )
            await bus.close()

        asyncio.run(ask())
        return self.next_end("prune", destination, known)

    def restic(self, bucket: str, user: User, *arguments: str) -> Any:
        """Plain restic, as somebody would run it without Holdfast."""
        place = f"s3:{self.server.endpoint}/{bucket}/house"
        return subprocess.run(
            [str(self._restic), "-r", place, "--no-cache", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={
                **os.environ,
                "RESTIC_PASSWORD": PASSWORD,
                "AWS_ACCESS_KEY_ID": user.access_key,
                "AWS_SECRET_ACCESS_KEY": user.secret_key,
            },
        )

    def cli(self, *arguments: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "holdfast", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**clean_environment(), "HOLDFAST_DATA": str(self.house.data)},
        )

    def restore_to(self, snapshot: Any, target: Path) -> Any:
        return self.api.restore(snapshot, target)


def upkeep(user: User) -> dict[str, str]:
    return {
        "maintenance_access_key": user.access_key,
        "maintenance_secret_key": user.secret_key,
    }


@pytest.fixture(scope="module")
def lab(
    radosgw: Radosgw, restic_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("radosgw-house")
    nats = NatsServer(folder / "nats")
    url = nats.start()
    house = House(folder / "data", HOLDFAST_NATS_URL=url, HOLDFAST_RETRY_DELAYS="").start()
    yield Lab(house, url, radosgw, restic_path)
    house.kill()
    nats.stop()


def policy_of(lab: Lab, destination: Any, user: User) -> Any:
    path = f"/backup/destinations/{destination['id']}/bucket-policy"
    return lab.api.get(path, principal=user.principal)


def may_delete(server: Radosgw, bucket: str, user: User, key: str) -> bool:
    try:
        server.client(user).delete_object(Bucket=bucket, Key=key)
    except ClientError as error:
        return error.response["Error"]["Code"] != "AccessDenied"
    return True


# ---- adding


def test_what_is_wrong_is_told_in_seconds_and_leaves_nothing(lab: Lab) -> None:
    server, owner = lab.server, lab.server.owner
    plain, stranger = server.bucket(), server.user()
    typo = User(owner.access_key, "not the secret", "")
    lock = {"object_lock": {"mode": "governance", "days": 30}}
    wrong = {
        "bad_credentials": lab.add("a", plain, typo),
        "no_such_bucket": lab.add("b", "no-such-bucket", owner),
        "access_denied": lab.add("c", plain, stranger),
        "object_lock_missing": lab.add("d", plain, owner, **lock),
    }

    for code, answer in wrong.items():
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert answer.json()["guidance"]
    second = lab.add("e", plain, owner, **upkeep(typo))
    assert (second.status_code, second.json()["code"]) == (422, "bad_credentials")
    half = lab.add("f", plain, owner, maintenance_access_key="AKONLY")
    assert half.status_code == 400
    assert lab.api.get("/backup/destinations")["destinations"] == []
    assert server.keys(plain) == []


# ---- a key that cannot delete


def test_everyday_work_needs_no_right_to_delete_and_upkeep_has_its_own_key(
    lab: Lab, tmp_path: Path
) -> None:
    server, bucket = lab.server, lab.server.bucket()
    everyday = server.subuser(server.owner)
    # The policy is there before anything else: adding must do with it, too.
    server.put_policy(bucket, _policy(bucket, everyday))
    destination = lab.added("two keys", bucket, everyday, **upkeep(server.owner))
    data = make_tree(tmp_path / "data", seed=5)
    configuration = lab.protected(destination, data)

    assert destination["has_maintenance_credentials"] is True
    assert policy_of(lab, destination, everyday) == _policy(bucket, everyday)
    printed = lab.cli("destination", "policy", "two keys", "--principal", everyday.principal)
    assert printed.returncode == 0, printed.stderr
    assert '"s3:DeleteObject"' in printed.stdout
    assert lab.api.post(f"/backup/destinations/{destination['id']}/test")["success"] is True

    assert lab.api.back_up(configuration)["status"] == "success"
    (data / "secret").write_text("changed")
    assert lab.api.back_up(configuration)["status"] == "success"
    forgotten = lab.next_end("forget", destination, 0)
    assert forgotten["status"] == "success", forgotten["failure"]
    pruned = lab.prune(destination)
    assert pruned["status"] == "success", pruned["failure"]

    (snapshot,) = (
        each
        for each in lab.api.snapshots(destination_id=destination["id"])
        if not each["forgotten_at"]
    )
    answer = lab.restore_to(snapshot, tmp_path / "out")
    assert answer["success"] is True
    assert differences(manifest(data), manifest(tmp_path / "out" / data.relative_to("/"))) == []
    checked = lab.restic(bucket, everyday, "check", "--read-data")
    assert checked.returncode == 0, checked.stderr

    for part in PARTS:
        key = server.keys(bucket, f"house/{part}")[0]
        assert not may_delete(server, bucket, everyday, key), key
    refused = lab.restic(bucket, everyday, "forget", snapshot["restic_snapshot_id"])
    assert refused.returncode != 0
    assert lab.restic(bucket, everyday, "snapshots", snapshot["restic_snapshot_id"]).returncode == 0


def test_without_a_key_that_may_delete_forget_says_what_is_missing(
    lab: Lab, tmp_path: Path
) -> None:
    server, bucket = lab.server, lab.server.bucket()
    everyday = server.subuser(server.owner)
    server.put_policy(bucket, _policy(bucket, everyday))
    destination = lab.added("one key", bucket, everyday)
    data = make_tree(tmp_path / "data", seed=6)
    configuration = lab.protected(destination, data)

    lab.api.back_up(configuration)
    (data / "secret").write_text("changed")
    lab.api.back_up(configuration)

    run = lab.next_end("forget", destination, 0)
    assert run["status"] == "failed"
    assert run["failure"]["code"] == "access_denied", run["failure"]
    left = json.loads(lab.restic(bucket, everyday, "snapshots", "--json").stdout)
    assert len([each for each in left if MANIFEST not in each["tags"]]) == 2

    path = f"/backup/destinations/{destination['id']}"
    wrong = {**upkeep(server.owner), "maintenance_secret_key": "not its secret"}
    assert lab.api.http.patch(path, json=wrong).is_error
    assert lab.api.get(path)["has_maintenance_credentials"] is False
    assert lab.api.patch(path, upkeep(server.owner))["has_maintenance_credentials"] is True


# ---- Object Lock


def test_after_an_attack_with_every_key_the_repository_is_whole_again(
    lab: Lab, tmp_path: Path
) -> None:
    server, bucket, thief = lab.server, lab.server.bucket(lock=True), lab.server.owner
    everyday = server.subuser(server.owner)
    server.put_policy(bucket, _policy(bucket, everyday))
    destination = lab.added(
        "vault",
        bucket,
        everyday,
        **upkeep(server.owner),
        object_lock={"mode": "compliance", "days": 30},
    )
    assert destination["object_lock"] == {"mode": "compliance", "days": 30}
    data = make_tree(tmp_path / "data", seed=7)
    configuration = lab.protected(destination, data)
    assert lab.api.back_up(configuration)["status"] == "success"
    first = manifest(data)
    lab.held(destination)
    since = datetime.now(UTC)

    locked = [each for part in PARTS for each in server.versions(bucket, f"house/{part}")]
    assert len(locked) >= 6
    client = server.client(thief)
    for each in locked:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(
                Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"],
                BypassGovernanceRetention=True,
            )  # fmt: skip
    _overwrite_and_delete(server, bucket, thief)
    assert server.keys(bucket, "house/config") == []
    failed = lab.api.back_up(configuration)
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "repository_missing")

    done = lab.cli("destination", "undelete", "vault", "--since", since.isoformat())

    assert done.returncode == 0, done.stdout + done.stderr
    assert "objects brought back" in done.stdout
    checked = lab.restic(bucket, everyday, "check", "--read-data")
    assert checked.returncode == 0, checked.stderr
    (snapshot,) = (
        each
        for each in lab.api.snapshots(destination_id=destination["id"])
        if each["restic_snapshot_id"]
    )
    lab.restore_to(snapshot, tmp_path / "out")
    assert differences(first, manifest(tmp_path / "out" / data.relative_to("/"))) == []
    assert lab.api.back_up(configuration)["status"] == "success"
    # And what was brought back is locked again.
    lab.held(destination)
    assert lab.runs("protect", destination)[0]["status"] == "success"


def test_a_forgotten_snapshot_comes_back_with_the_day_before(lab: Lab, tmp_path: Path) -> None:
    """Retention and prune put delete markers; what they hide stays for the days of the lock."""
    server, bucket = lab.server, lab.server.bucket(lock=True)
    lock = {"object_lock": {"mode": "governance", "days": 10}}
    destination = lab.added("keeps", bucket, server.owner, **lock)
    data = make_tree(tmp_path / "data", seed=8)
    configuration = lab.protected(destination, data)
    lab.api.back_up(configuration)
    first = manifest(data)
    lab.held(destination)
    since = datetime.now(UTC)
    (data / "secret").write_text("changed")
    lab.api.back_up(configuration)
    assert lab.next_end("forget", destination, 0)["status"] == "success"
    assert lab.prune(destination)["status"] == "success"
    gone = [
        each for each in lab.api.snapshots(destination_id=destination["id"]) if each["forgotten_at"]
    ]
    assert len(gone) == 1
    packs = {each["Key"] for each in server.versions(bucket, "house/data/")}
    assert packs > set(server.keys(bucket, "house/data/"))

    accepted = lab.api.post(
        f"/backup/destinations/{destination['id']}/undelete", {"since": since.isoformat()}
    )
    run = lab.api.outcome(accepted["run_id"])

    assert run["status"] == "success", run["failure"]
    assert run["result"]["restic_snapshot_ids"] == [gone[0]["restic_snapshot_id"]]
    lab.restore_to(gone[0], tmp_path / "out")
    assert differences(first, manifest(tmp_path / "out" / data.relative_to("/"))) == []
    checked = lab.restic(bucket, server.owner, "check", "--read-data")
    assert checked.returncode == 0, checked.stderr


def test_what_cannot_be_undeleted_is_said_at_once(lab: Lab, tmp_path: Path) -> None:
    local = lab.api.local("a disk", tmp_path / "disk")
    path = f"/backup/destinations/{local['id']}"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    post = lab.api.http.post

    assert post(f"{path}/undelete", json={"since": "2026-01-01T00:00:00Z"}).status_code == 400
    assert post(f"{path}/undelete", json={"since": "2026-01-01T00:00:00"}).status_code == 400
    assert post(f"{path}/undelete", json={"since": tomorrow}).status_code == 400
    answer = lab.api.http.get(f"{path}/bucket-policy", params={"principal": "x"})
    assert answer.status_code == 400


def _policy(bucket: str, user: User) -> Any:
    import msgspec

    from holdfast.storage.bucket_policy import bucket_policy

    return msgspec.to_builtins(bucket_policy(bucket, "house", user.principal))


def _overwrite_and_delete(server: Radosgw, bucket: str, thief: User) -> None:
    """Every object, with new content and then away; and some that look like a repository's."""
    client = server.client(thief)

    def ruin(number_and_key: tuple[int, str]) -> None:
        number, key = number_and_key
        if number % 3:
            client.put_object(Bucket=bucket, Key=key, Body=b"encrypted, pay us")
        if number % 3 != 1 or key.endswith("config"):
            client.delete_object(Bucket=bucket, Key=key)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ruin, enumerate(server.keys(bucket))))
    for part in ("index", "snapshots", "locks"):
        client.put_object(Bucket=bucket, Key=f"house/{part}/{'ab' * 32}", Body=b"rubbish")
