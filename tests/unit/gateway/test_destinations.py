"""Adding and testing a destination: queued as a run, seen through to its end."""

from typing import Any

import msgspec
import pytest

from holdfast.events import queries as q
from holdfast.events import views
from holdfast.events.run import RunStatus
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import ConflictError, UnavailableError
from support.gateway import (
    ID,
    RUN_ID,
    GatewayHouse,
    accepted,
    destination,
    failure,
    run,
)

PATH = "/api/v1/backup/destinations"
LOCAL = {"name": "NAS Backups", "device_id": str(ID), "path": "/mnt/nfs/backups"}
S3 = {
    "name": "Backblaze B2",
    "endpoint": "s3.us-west-002.backblazeb2.com",
    "bucket": "homelab-backups",
    "region": "us-west-002",
    "access_key": "AKEXAMPLE",
    "secret_key": "swordfish",
}


@pytest.fixture
def ready(house: GatewayHouse) -> GatewayHouse:
    """A catalog at which adding and testing works."""
    house.bus.answers |= {
        q.AddDestination: accepted(),
        q.TestDestination: accepted(),
        q.WaitForRun: run(RunStatus.SUCCESS),
        q.GetDestination: destination(),
    }
    return house


def secrets_in(house: GatewayHouse) -> DestinationSecrets:
    sealed = house.asked(q.AddDestination).sealed_secrets
    opened = house.catalog_key.open(sealed, "destination-secrets")
    return msgspec.json.decode(opened, type=DestinationSecrets)


async def test_a_local_destination_is_answered_when_it_is_ready(ready: GatewayHouse) -> None:
    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert response.status_code == 201, response.text
    shown = response.json()
    assert shown["local_path"] == "/mnt/nfs/backups/homelab-backups"
    assert shown["repo_initialized"] is True
    asked = ready.asked(q.AddDestination)
    assert (asked.type, asked.device_id, asked.path) == (
        DestinationType.LOCAL,
        ID,
        "/mnt/nfs/backups",
    )
    assert secrets_in(ready) == DestinationSecrets(repo_password="")


async def test_the_secrets_of_an_s3_destination_are_sealed_to_the_catalog(
    ready: GatewayHouse,
) -> None:
    body = S3 | {"prefix": "house", "repo_password": "of the old repository"}

    async with ready.client() as client:
        response = await client.post(f"{PATH}/s3", json=body)

    assert response.status_code == 201, response.text
    asked = ready.asked(q.AddDestination)
    assert (asked.s3_endpoint, asked.s3_bucket, asked.s3_region, asked.s3_prefix) == (
        S3["endpoint"],
        S3["bucket"],
        S3["region"],
        "house",
    )
    assert b"swordfish" not in msgspec.json.encode(ready.bus.asked)
    assert secrets_in(ready) == DestinationSecrets(
        repo_password="of the old repository",
        s3_access_key="AKEXAMPLE",
        s3_secret_key="swordfish",
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("access_denied", 422),
        ("destination_unreachable", 422),
        ("wrong_password", 422),
        ("no_such_bucket", 422),
        ("foreign_repository", 409),
        ("repository_exists", 409),
        ("repository_locked", 409),
    ],
)
async def test_a_failed_init_is_told_as_the_runs_failure(
    code: str, status: int, ready: GatewayHouse
) -> None:
    ready.bus.answers[q.WaitForRun] = run(
        RunStatus.FAILED, failure=failure(code, detail="403 Forbidden")
    )

    async with ready.client() as client:
        response = await client.post(f"{PATH}/s3", json=S3)

    assert response.status_code == status
    document = response.json()
    assert document["code"] == code
    assert document["detail"] == "It did not work."
    assert document["guidance"] == "Look at it."
    assert document["cause"] == "403 Forbidden"
    assert document["run_id"] == str(RUN_ID)
    assert document["instance"] == f"/api/v1/backup/runs/{RUN_ID}"
    assert "swordfish" not in response.text


async def test_a_cancelled_init_is_told(ready: GatewayHouse) -> None:
    ready.bus.answers[q.WaitForRun] = run(RunStatus.CANCELLED)

    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert (response.status_code, response.json()["code"]) == (422, "run_cancelled")


async def test_a_name_that_is_taken_is_a_conflict(ready: GatewayHouse) -> None:
    def taken(_: q.AddDestination) -> None:
        raise ConflictError("There is a destination of this name.")

    ready.bus.answers[q.AddDestination] = taken

    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert response.status_code == 409


def unfinished_for(house: GatewayHouse, steps: list[float]) -> Any:
    """A catalog whose run never ends; each question takes as long as it allows."""

    def wait(query: q.WaitForRun) -> Any:
        steps.append(query.timeout_seconds)
        house.clock.seconds += query.timeout_seconds
        return run(RunStatus.IN_PROGRESS)

    return wait


async def test_a_run_that_goes_on_after_two_minutes_is_504_and_named(
    ready: GatewayHouse,
) -> None:
    steps: list[float] = []
    ready.bus.answers[q.WaitForRun] = unfinished_for(ready, steps)

    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert response.status_code == 504
    assert response.json()["code"] == "still_running"
    assert response.json()["run_id"] == str(RUN_ID)
    assert sum(steps) == 120
    assert max(steps) <= 10


async def test_a_catalog_that_restarts_meanwhile_is_waited_for(
    ready: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.gateway.catalog_client.PAUSE_SECONDS", 0.0)
    answers = iter([UnavailableError(), run(RunStatus.SUCCESS)])

    def wait(_: q.WaitForRun) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ready.bus.answers[q.WaitForRun] = wait

    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert response.status_code == 201


async def test_a_catalog_that_stays_away_is_503_with_the_run(ready: GatewayHouse) -> None:
    def away(_: q.WaitForRun) -> Any:
        ready.clock.seconds += 16
        raise UnavailableError

    ready.bus.answers[q.WaitForRun] = away

    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL)

    assert response.status_code == 503
    assert response.json()["run_id"] == str(RUN_ID)


async def test_a_good_test_says_so(ready: GatewayHouse) -> None:
    async with ready.client() as client:
        response = await client.post(f"{PATH}/{ID}/test")

    assert response.status_code == 200
    shown = response.json()
    assert (shown["success"], shown["code"], shown["run_id"]) == (True, None, str(RUN_ID))


async def test_a_destination_that_does_not_answer_is_an_answer_not_an_error(
    ready: GatewayHouse,
) -> None:
    ready.bus.answers[q.WaitForRun] = run(
        RunStatus.FAILED, failure=failure("destination_unreachable")
    )

    async with ready.client() as client:
        response = await client.post(f"{PATH}/{ID}/test")

    assert response.status_code == 200
    assert response.json() == {
        "success": False,
        "message": "It did not work.",
        "code": "destination_unreachable",
        "guidance": "Look at it.",
        "run_id": str(RUN_ID),
    }


async def test_a_test_that_does_not_end_is_an_answer_too(ready: GatewayHouse) -> None:
    ready.bus.answers[q.WaitForRun] = unfinished_for(ready, [])

    async with ready.client() as client:
        response = await client.post(f"{PATH}/{ID}/test")

    assert response.status_code == 200
    assert (response.json()["success"], response.json()["code"]) == (False, "still_running")


@pytest.mark.parametrize("key", ["access_key", "secret_key", "bucket", "name"])
async def test_each_field_of_s3_is_required(key: str, ready: GatewayHouse) -> None:
    body = {name: value for name, value in S3.items() if name != key}

    async with ready.client() as client:
        response = await client.post(f"{PATH}/s3", json=body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == key


async def test_a_relative_path_is_no_local_destination(ready: GatewayHouse) -> None:
    async with ready.client() as client:
        response = await client.post(f"{PATH}/local", json=LOCAL | {"path": "backups"})

    assert response.status_code == 400
    assert response.json()["detail"] == "path: Must be an absolute path, beginning with a slash"


SFTP = {"name": "Synology", "host": "nas.lan", "user": "backup", "path": "/volume1/backups"}


async def test_the_secrets_of_an_sftp_destination_are_sealed(ready: GatewayHouse) -> None:
    body = SFTP | {"private_key": "-----BEGIN", "passphrase": "hush", "host_key": "SHA256:x"}

    async with ready.client() as client:
        response = await client.post(f"{PATH}/sftp", json=body)

    assert response.status_code == 201, response.text
    asked = ready.asked(q.AddDestination)
    assert (asked.type, asked.sftp_host, asked.sftp_port) == (DestinationType.SFTP, "nas.lan", 22)
    assert (asked.sftp_user, asked.path, asked.sftp_host_key) == (
        "backup",
        "/volume1/backups",
        "SHA256:x",
    )
    assert secrets_in(ready) == DestinationSecrets(
        repo_password="", sftp_private_key="-----BEGIN", sftp_passphrase="hush"
    )


async def test_a_change_without_a_test_is_answered_at_once(ready: GatewayHouse) -> None:
    changed = destination(name="new")
    ready.bus.answers[q.UpdateDestination] = views.DestinationChange(destination=changed)

    async with ready.client() as client:
        response = await client.patch(f"{PATH}/{ID}", json={"name": "new", "enabled": False})

    assert response.json()["name"] == "new"
    asked = ready.asked(q.UpdateDestination)
    assert (asked.name, asked.enabled, asked.max_runs) == ("new", False, msgspec.UNSET)


async def test_credentials_that_fail_their_test_are_a_problem(ready: GatewayHouse) -> None:
    ready.bus.answers |= {
        q.UpdateDestination: views.DestinationChange(destination=destination(), run_id=RUN_ID),
        q.WaitForRun: run(RunStatus.FAILED, failure=failure("bad_credentials")),
    }

    async with ready.client() as client:
        response = await client.patch(f"{PATH}/{ID}", json={"password": "swordfish"})

    assert response.status_code == 422
    assert response.json()["code"] == "bad_credentials"
    sealed = ready.asked(q.UpdateDestination).sealed_secrets
    assert b"swordfish" not in sealed


@pytest.mark.parametrize("detach", [False, True])
async def test_a_removed_destination_says_where_its_data_stays(
    ready: GatewayHouse, detach: bool
) -> None:
    ready.bus.answers[q.RemoveDestination] = q.Done()

    async with ready.client() as client:
        response = await client.delete(f"{PATH}/{ID}", params={"detach": detach})

    assert response.status_code == 200
    assert response.json()["data_kept"] is True
    assert "/mnt/nfs/backups/homelab-backups" in response.json()["message"]
    assert ready.asked(q.RemoveDestination).detach is detach
