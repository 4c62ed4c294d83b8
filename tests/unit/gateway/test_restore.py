"""Restores: answered at once, or waited for."""

import asyncio
from typing import Any

import pytest

from holdfast.events import queries as q
from holdfast.events.run import Operation, RestoreResult, RunStatus
from holdfast.gateway.errors import DESTINATION_FAULTS
from holdfast.kernel.errors import HoldfastError
from holdfast.storage import errors as storage_errors
from support.gateway import ID, RUN_ID, GatewayHouse, accepted, failure, run

PATH = f"/api/v1/backup/snapshots/{ID}/restore"
BODY = {"target_device_id": str(ID), "target_path": "/srv/restore"}


@pytest.fixture
def ready(house: GatewayHouse) -> GatewayHouse:
    house.bus.answers[q.RestoreSnapshot] = accepted()
    return house


async def test_without_waiting_the_run_is_the_answer(ready: GatewayHouse) -> None:
    async with ready.client() as client:
        response = await client.post(PATH, json=BODY)

    assert response.status_code == 202
    assert response.json()["run_id"] == str(RUN_ID)
    assert response.json()["status"] == "queued"


async def test_waiting_takes_as_many_steps_as_the_run_needs(ready: GatewayHouse) -> None:
    result = RestoreResult(restored_path="/srv/restore", files_restored=2, bytes_restored=9)
    steps = iter(
        [
            run(RunStatus.QUEUED),
            run(RunStatus.IN_PROGRESS),
            run(RunStatus.SUCCESS, operation=Operation.RESTORE, result=result),
        ]
    )
    ready.bus.answers[q.WaitForRun] = lambda _: next(steps)

    async with ready.client() as client:
        response = await client.post(f"{PATH}?wait=true", json=BODY)

    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "message": "Restore completed successfully",
        "restored_path": "/srv/restore",
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("destination_unreachable", 502),
        ("repository_damaged", 502),
        ("no_such_bucket", 502),
        ("path_not_found", 422),
        ("restore_incomplete", 422),
        ("no_space", 422),
    ],
)
async def test_a_failed_restore_is_told_as_the_runs_failure(
    code: str, status: int, ready: GatewayHouse
) -> None:
    ready.bus.answers[q.WaitForRun] = run(RunStatus.FAILED, failure=failure(code))

    async with ready.client() as client:
        response = await client.post(f"{PATH}?wait=true", json=BODY)

    assert response.status_code == status
    assert response.json()["code"] == code
    assert response.json()["run_id"] == str(RUN_ID)


async def test_a_process_that_ends_does_not_keep_its_clients_waiting(ready: GatewayHouse) -> None:
    asked = asyncio.Event()

    async def never(_: q.WaitForRun) -> Any:
        asked.set()
        await asyncio.Event().wait()

    ready.bus.answers[q.WaitForRun] = never

    async with ready.client() as client:
        waiting = asyncio.create_task(client.post(f"{PATH}?wait=true", json=BODY))
        await asked.wait()
        ready.stopping.set()
        response = await waiting

    assert response.status_code == 504
    assert response.json()["run_id"] == str(RUN_ID)


async def test_a_client_that_goes_cancels_nothing(ready: GatewayHouse) -> None:
    asked = asyncio.Event()

    async def never(_: q.WaitForRun) -> Any:
        asked.set()
        await asyncio.Event().wait()

    ready.bus.answers[q.WaitForRun] = never

    async with ready.client() as client:
        waiting = asyncio.create_task(client.post(f"{PATH}?wait=true", json=BODY))
        await asked.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert not [each for each in ready.bus.asked if isinstance(each, q.CancelRun)]


def test_what_a_probe_may_tell_of_a_destination_is_the_destinations_fault() -> None:
    told = {
        kind.code
        for kind in vars(storage_errors).values()
        if isinstance(kind, type)
        and issubclass(kind, HoldfastError)
        and kind.__module__ == storage_errors.__name__
    }

    assert told
    assert told <= DESTINATION_FAULTS


@pytest.mark.parametrize("mode", ["never", "if_changed", "if_newer"])
async def test_overwrite_and_a_mode_that_contradicts_it_are_refused(
    mode: str, ready: GatewayHouse
) -> None:
    async with ready.client() as client:
        response = await client.post(PATH, json={**BODY, "overwrite": True, "mode": mode})

    assert response.status_code == 400
    assert f"mode is '{mode}'" in response.json()["detail"]
    assert not [each for each in ready.bus.asked if isinstance(each, q.RestoreSnapshot)]


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({}, "never"),
        ({"overwrite": True}, "always"),
        ({"overwrite": True, "mode": "always"}, "always"),
        ({"mode": "if_newer"}, "if_newer"),
    ],
)
async def test_a_mode_may_be_named_either_way(
    fields: dict[str, Any], mode: str, ready: GatewayHouse
) -> None:
    async with ready.client() as client:
        response = await client.post(PATH, json={**BODY, **fields})

    assert response.status_code == 202
    (asked,) = [each for each in ready.bus.asked if isinstance(each, q.RestoreSnapshot)]
    assert asked.mode == mode
