"""Limits and the protection test over HTTP."""

import pytest
from msgspec.structs import replace

from holdfast.events import queries as q
from holdfast.events.limits import Compression, Limits, RateWindow
from holdfast.events.run import RunStatus
from holdfast.events.views import DestinationChange
from support.gateway import ID, RUN_ID, GatewayHouse, accepted, destination, run

PATH = "/api/v1/backup/destinations"
LIMITS = {
    "upload_kib": 500,
    "windows": [{"from": "22:00", "to": "06:00", "download_kib": 9}],
    "timezone": "Europe/Berlin",
    "compression": "max",
    "pack_size_mib": 64,
}
MEANT = Limits(
    upload_kib=500,
    windows=(RateWindow(start="22:00", end="06:00", download_kib=9),),
    timezone="Europe/Berlin",
    compression=Compression.MAX,
    pack_size_mib=64,
)


async def test_limits_are_set_with_a_new_destination(house: GatewayHouse) -> None:
    house.bus.answers |= {
        q.AddDestination: accepted(),
        q.WaitForRun: run(RunStatus.SUCCESS),
        q.GetDestination: destination(limits=MEANT, append_only=True),
    }
    body = {
        "name": "NAS", "device_id": str(ID), "path": "/mnt", "limits": LIMITS, "append_only": True,
    }  # fmt: skip

    async with house.client() as client:
        response = await client.post(f"{PATH}/local", json=body)

    assert response.status_code == 201, response.text
    asked = house.asked(q.AddDestination)
    assert (asked.limits, asked.append_only) == (MEANT, True)
    assert response.json()["limits"]["windows"][0]["from"] == "22:00"


async def test_a_patch_names_only_what_changes(house: GatewayHouse) -> None:
    house.bus.answers[q.UpdateDestination] = DestinationChange(destination=destination())

    async with house.client() as client:
        first = await client.patch(f"{PATH}/{ID}", json={"max_runs": 2})
        second = await client.patch(f"{PATH}/{ID}", json={"limits": LIMITS, "append_only": True})

    assert (first.status_code, second.status_code) == (200, 200), second.text
    queries = [
        replace(each, sealed_secrets=b"")  # sealed anew each time, with nothing in it
        for each in house.bus.asked
        if isinstance(each, q.UpdateDestination)
    ]
    assert queries == [
        q.UpdateDestination(destination_id=ID, max_runs=2),
        q.UpdateDestination(destination_id=ID, limits=MEANT, append_only=True),
    ]


@pytest.mark.parametrize(
    "limits",
    [
        {"upload_kib": -1},
        {"upload": 5},
        {"compression": "lots"},
        {"pack_size_mib": 129},
        {"windows": [{"from": "24:00", "to": "06:00"}]},
        {"windows": [{"from": "22:00"}]},
    ],
)
async def test_a_typing_error_in_the_limits_is_refused(
    house: GatewayHouse, limits: dict[str, object]
) -> None:
    async with house.client() as client:
        response = await client.patch(f"{PATH}/{ID}", json={"limits": limits})

    assert response.status_code == 400, response.text
    assert "limits" in response.text


async def test_a_protection_test_answers_with_its_run(house: GatewayHouse) -> None:
    house.bus.answers |= {
        q.TestProtection: accepted(),
        q.WaitForRun: run(RunStatus.SUCCESS),
    }

    async with house.client() as client:
        response = await client.post(f"{PATH}/{ID}/protection-test")

    assert response.status_code == 200, response.text
    assert response.json()["id"] == str(RUN_ID)
