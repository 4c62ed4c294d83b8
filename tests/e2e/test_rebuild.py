"""The database is lost: the repositories alone bring apps, settings and history back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.house import Api, House, wait_until
from support.servers import RcloneS3
from support.sshd import Sshd
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.e2e, pytest.mark.s3, pytest.mark.sftp]

PASSWORD = "the same password before and after"
TOUCHED = {"updated_at", "created_at", "way"}
"""When a row was written is not what it says; no repository knows how a snapshot came there."""


def picture(api: Api) -> dict[str, Any]:
    """Everything that a person sees, without when its rows were written."""

    def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [{k: v for k, v in row.items() if k not in TOUCHED} for row in rows]
        return sorted(kept, key=lambda row: str(row["id"]))

    runs = [each for each in api.get("/backup/runs", limit=100)["runs"] if each["snapshot_ids"]]
    return {
        "devices": plain(api.get("/devices")["devices"]),
        "apps": plain(api.get("/apps")["apps"]),
        "destinations": plain(api.get("/backup/destinations")["destinations"]),
        "policies": plain(api.get("/backup/policies")["policies"]),
        "configurations": plain(api.get("/backup/configurations")["configurations"]),
        "snapshots": plain(api.snapshots(limit=100)),
        "runs": sorted((each["id"], each["status"], each["app_id"]) for each in runs),
        "run_snapshots": sorted(sorted(each["snapshot_ids"]) for each in runs),
    }


def test_the_repositories_alone_bring_everything_back(
    make_house: Callable[..., House], s3_server: RcloneS3, sshd: Sshd, tmp_path: Path
) -> None:
    lost = make_house()
    api = lost.api
    (tmp_path / "nas").mkdir()
    local = api.post(
        "/backup/destinations/local",
        {
            "name": "nas",
            "device_id": api.device(),
            "path": str(tmp_path / "nas"),
            "repo_password": PASSWORD,
        },
    )
    s3_server.make_bucket("rebuild")
    cloud = api.post(
        "/backup/destinations/s3",
        {
            "name": "cloud",
            "endpoint": s3_server.endpoint,
            "bucket": "rebuild",
            "region": "us-east-1",
            "prefix": "house",
            "access_key": s3_server.access_key,
            "secret_key": s3_server.secret_key,
            "repo_password": PASSWORD,
        },
    )
    (tmp_path / "synology").mkdir()
    far = api.post(
        "/backup/destinations/sftp",
        {
            "name": "synology",
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": sshd.user,
            "path": str(tmp_path / "synology"),
            "private_key": sshd.private_key,
            "repo_password": PASSWORD,
        },
    )
    # Each from the source: no repository knows how long the copying of a snapshot took.
    policy = api.policy(
        "all", local, cloud, far, keep_last=50, jitter_seconds=90, fan_out="parallel"
    )
    trees = {name: make_tree(tmp_path / name) for name in ("notes", "photos")}
    ties = {
        name: api.configuration(api.app(name, tree), policy, exclude_paths=["*.tmp"])
        for name, tree in trees.items()
    }
    for name in ("notes", "photos", "notes"):
        (trees[name] / "more").write_text(f"more of {name}")
        assert api.back_up(ties[name])["status"] == "success"
    before, content = picture(api), manifest(trees["notes"])
    assert len(before["snapshots"]) == 9
    lost.stop()

    found = make_house()
    api = found.api
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "key").write_text(sshd.private_key)
    answer = found.command(
        "rebuild",
        "--from", str(tmp_path / "nas" / "homelab-backups"),
        "--from", f"s3:{s3_server.endpoint}/rebuild/house",
        "--from", f"sftp://{sshd.user}@127.0.0.1:{sshd.port}/{tmp_path}/synology/homelab-backups",
        *(["--password-file", str(tmp_path / "password")] * 3),
        "--sftp-key", str(tmp_path / "key"),
        "--sftp-host-key", sshd.host_key,
        AWS_ACCESS_KEY_ID=s3_server.access_key,
        AWS_SECRET_ACCESS_KEY=s3_server.secret_key,
        AWS_DEFAULT_REGION="us-east-1",
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr + found.process.tail()
    # The word on the last snapshots may come after the word on the run's end.
    wait_until(
        lambda: len(api.snapshots(limit=100)) == len(before["snapshots"]), what="all snapshots"
    )
    different = differences_of(before, picture(api))
    print(*(f"{kind}: {what}" for kind, what in different.items()), sep="\n")
    assert not different
    newest = api.snapshots(app_id=ties["notes"]["app_id"], destination_id=cloud["id"])[0]
    api.restore(newest, tmp_path / "back")
    assert differences(content, manifest(tmp_path / "back" / str(trees["notes"])[1:])) == []
    # It goes on as if nothing had been: the next backup adds to the same history.
    assert api.back_up(ties["notes"])["status"] == "success"
    assert len(api.snapshots(limit=100)) == 12

    again = found.command(
        "rebuild",
        "--from", str(tmp_path / "nas" / "homelab-backups"),
        "--password-file", str(tmp_path / "password"),
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(api.snapshots(limit=100)) == 12


def differences_of(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: json.dumps(
            [
                [a for a in before[kind] if a not in after[kind]],
                [b for b in after[kind] if b not in before[kind]],
            ],
            indent=1,
        )
        for kind in before
        if before[kind] != after[kind]
    }
