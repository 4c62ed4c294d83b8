"""Each kind of destination through the API: added, changed, away and back, adopted, restored."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from holdfast.restic.binary import find_restic
from support.house import OUTCOMES, House, clean_environment, wait_until
from support.servers import RcloneS3
from support.sshd import Sshd
from support.trees import differences, make_tree, manifest

pytestmark = pytest.mark.e2e


class Kind:
    """A kind of destination, and how the tests reach behind it."""

    def __init__(
        self,
        folder: Path,
        add: Callable[..., Any],
        right: dict[str, str],
        wrong: dict[str, str],
        code: str,
    ) -> None:
        self.folder = folder
        """Where its repository's files are."""
        self.add = add
        self.right = right
        self.wrong = wrong
        """Credentials that do not open it; none for a path."""
        self.code = code


@pytest.fixture(
    params=[
        "local",
        "s3",
        pytest.param("sftp", marks=pytest.mark.sftp),
        pytest.param("device", marks=pytest.mark.sftp),
    ]
)
def kind(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> Kind:
    nas = tmp_path / "nas"
    if request.param == "local":

        def add_local(name: str, **fields: Any) -> Any:
            nas.mkdir(exist_ok=True)
            body = {"name": name, "device_id": house.api.device(), "path": str(nas), **fields}
            return house.api.http.post("/backup/destinations/local", json=body)

        return Kind(nas / "homelab-backups", add_local, {}, {}, "")
    if request.param == "s3":
        server: RcloneS3 = request.getfixturevalue("s3_server")
        bucket = f"house-{uuid4().hex[:12]}"
        server.make_bucket(bucket)

        def add_s3(name: str, **fields: Any) -> Any:
            body = {
                "name": name,
                "endpoint": server.endpoint,
                "bucket": bucket,
                "region": "us-east-1",
                "prefix": "lab",
                "access_key": server.access_key,
                "secret_key": server.secret_key,
                **fields,
            }
            return house.api.http.post("/backup/destinations/s3", json=body)

        right = {"secret_key": server.secret_key}
        wrong = {"secret_key": "not the secret"}
        return Kind(server.data / bucket / "lab", add_s3, right, wrong, "bad_credentials")
    sshd: Sshd = request.getfixturevalue("sshd")
    if request.param == "device":
        device = house.api.ssh_device(f"zz {uuid4().hex[:8]}", sshd)

        def add_on_device(name: str, **fields: Any) -> Any:
            nas.mkdir(exist_ok=True)
            body = {"name": name, "device_id": device["id"], "path": str(nas), **fields}
            return house.api.http.post("/backup/destinations/local", json=body)

        return Kind(nas / "homelab-backups", add_on_device, {}, {}, "")

    def add_sftp(name: str, **fields: Any) -> Any:
        nas.mkdir(exist_ok=True)
        body = {
            "name": name,
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": sshd.user,
            "path": str(nas),
            "private_key": sshd.private_key,
            **fields,
        }
        return house.api.http.post("/backup/destinations/sftp", json=body)

    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    return Kind(
        nas / "homelab-backups",
        add_sftp,
        {"private_key": sshd.private_key},
        {"private_key": stranger},
        "bad_credentials",
    )


def at_rest(house: House, tie: Any) -> bool:
    runs = house.api.get("/backup/runs", configuration_id=tie["id"])["runs"]
    return all(each["status"] in OUTCOMES for each in runs)


def test_the_whole_life_of_a_destination(house: House, kind: Kind, tmp_path: Path) -> None:
    name = f"place {uuid4().hex[:6]}"
    data = make_tree(tmp_path / "data", seed=5)
    before = manifest(data)
    if kind.wrong:
        refused = kind.add(name, **kind.wrong)
        assert refused.status_code == 422
        assert refused.json()["code"] == kind.code
        assert not kind.folder.exists()

    added = kind.add(name)
    assert added.status_code == 201, added.text
    place = added.json()
    path = f"/backup/destinations/{place['id']}"
    app = house.api.app(f"app {name}", data)
    tie = house.api.configuration(app, house.api.policy(f"policy {name}", place))
    backed_up = house.api.back_up(tie)
    assert backed_up["status"] == "success", backed_up["failure"]

    # Credentials that do not open it change nothing; the right ones are taken.
    if kind.wrong:
        changed = house.api.http.patch(path, json=kind.wrong)
        assert changed.status_code == 422
        assert changed.json()["code"] == kind.code
        assert house.api.post(f"{path}/test")["success"] is True
        assert house.api.patch(path, kind.right)["id"] == place["id"]
    wrong_password = house.api.http.patch(path, json={"repo_password": "not its password"})
    assert wrong_password.json()["code"] == "wrong_password"
    renamed = house.api.patch(path, {"name": f"{name} again", "max_runs": 2})
    assert (renamed["name"], renamed["max_runs"]) == (f"{name} again", 2)

    # Away and back: nothing is written into the empty place.
    kind.folder.rename(tmp_path / "away")
    kind.folder.mkdir()
    away = house.api.outcome(house.api.start(tie)["run_id"])
    assert away["failure"]["code"] == "repository_missing"
    assert list(kind.folder.rglob("*")) == []
    assert house.api.post(f"{path}/test")["code"] == "repository_missing"
    kind.folder.rmdir()
    (tmp_path / "away").rename(kind.folder)
    assert house.api.post(f"{path}/test")["success"] is True
    wait_until(lambda: at_rest(house, tie), what="its retry has ended")
    (snapshot,) = [
        each
        for each in house.api.snapshots(destination_id=place["id"])
        if each["status"] == "success" and each["run_id"] == backed_up["id"]
    ]

    # Removed: the data stays, and adding it again finds it.
    removed = house.api.http.delete(path, params={"detach": True})
    assert removed.json()["data_kept"] is True
    assert (kind.folder / "config").exists()
    again = kind.add(f"{name} adopted").json()
    assert again["repository_id"] == place["repository_id"]
    found = wait_until(lambda: house.api.snapshots(destination_id=again["id"]))
    assert [each["id"] for each in found if each["id"] == snapshot["id"]]
    assert found[-1]["app_id"] == app["id"]
    house.api.restore(snapshot, tmp_path / "restored")
    assert not differences(before, manifest(tmp_path / "restored" / str(data)[1:]))


def test_a_repository_of_somebody_else_is_adopted_with_its_snapshots(
    house: House, kind: Kind, tmp_path: Path
) -> None:
    data = make_tree(tmp_path / "data", seed=6)
    password = "what the plain restic was given"
    kind.folder.parent.mkdir(parents=True, exist_ok=True)
    for arguments in (["init"], ["backup", "--host", "laptop", "--tag", "app:none", str(data)]):
        subprocess.run(
            [find_restic(), "-r", str(kind.folder), "--no-cache", *arguments],
            env={**clean_environment(), "RESTIC_PASSWORD": password},
            check=True,
            capture_output=True,
        )
    refused = kind.add(f"foreign {uuid4().hex[:6]}")

    added = kind.add(f"foreign {uuid4().hex[:6]}", repo_password=password)

    assert refused.json()["code"] == "foreign_repository"
    assert added.status_code == 201, added.text
    (found,) = wait_until(lambda: house.api.snapshots(destination_id=added.json()["id"]))
    assert (found["hostname"], found["paths"]) == ("laptop", [str(data)])
    assert (found["configuration_id"], found["app_id"]) == (None, None)
    house.api.restore(found, tmp_path / "restored")
    assert not differences(manifest(data), manifest(tmp_path / "restored" / str(data)[1:]))
    again = house.api.outcome(
        house.api.post(f"/backup/destinations/{added.json()['id']}/import")["run_id"]
    )
    assert again["status"] == "success"
    assert len(house.api.snapshots(destination_id=added.json()["id"])) == 1


@pytest.mark.sftp
def test_a_host_key_is_pinned_changed_and_pinned_anew(
    house: House, own_sshd: Sshd, tmp_path: Path
) -> None:
    place = house.api.sftp("keyed", own_sshd.start(), tmp_path / "nas")
    path = f"/backup/destinations/{place['id']}"
    first = own_sshd.fingerprint
    own_sshd.stop()
    own_sshd.new_host_key()
    own_sshd.start()

    tested = house.api.post(f"{path}/test")
    wrong = house.api.http.patch(path, json={"host_key": "SHA256:" + "A" * 43})
    pinned = house.api.patch(path, {"host_key": own_sshd.fingerprint})

    assert place["sftp_host_key_fingerprint"] == first
    assert (tested["success"], tested["code"]) == (False, "host_key_changed")
    assert own_sshd.fingerprint in tested["message"]
    assert wrong.json()["code"] == "host_key_changed"
    assert pinned["sftp_host_key_fingerprint"] == own_sshd.fingerprint
    assert house.api.post(f"{path}/test")["success"] is True
    assert own_sshd.private_key.splitlines()[1] not in house.process.log.read_text()
