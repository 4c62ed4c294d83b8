"""Every class of error is one problem document."""

from typing import Any

import httpx
import pytest

from holdfast.events import queries as q
from holdfast.kernel.errors import ConflictError, HoldfastError, NotFoundError
from support.gateway import ID, GatewayHouse

MEMBERS = {"type", "title", "status", "detail", "code", "guidance", "instance"}
DESTINATION = {"name": "b", "endpoint": "s3", "bucket": "bucket", "access_key": "a"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, after checking what all of them must have."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) >= MEMBERS
    assert document["status"] == status
    assert document["code"] == code
    assert document["type"] == f"urn:holdfast:problem:{code}"
    return document


async def test_an_error_of_the_catalog_keeps_its_code_and_guidance(house: GatewayHouse) -> None:
    def refuse(_: q.DeletePolicy) -> q.Done:
        raise ConflictError("Two configurations use it.", guidance="Delete them first.")

    house.bus.answers[q.DeletePolicy] = refuse

    async with house.client() as client:
        response = await client.delete(f"/api/v1/backup/policies/{ID}")

    document = problem(response, 409, "conflict")
    assert document["detail"] == "Two configurations use it."
    assert document["guidance"] == "Delete them first."
    assert document["instance"] == f"/api/v1/backup/policies/{ID}"


async def test_what_is_not_there_is_404(house: GatewayHouse) -> None:
    def nothing(_: q.GetRun) -> None:
        raise NotFoundError("There is no such run.")

    house.bus.answers[q.GetRun] = nothing

    async with house.client() as client:
        problem(await client.get(f"/api/v1/backup/runs/{ID}"), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1/nothing", "/schema/nothing", "/api/v1/backup/runs/not-an-id", "/"],
)
async def test_a_path_that_leads_nowhere_is_404(path: str, house: GatewayHouse) -> None:
    async with house.client() as client:
        document = problem(await client.get(path), 404, "not_found")

    assert document["instance"] == path


async def test_a_method_that_is_not_offered_is_405_and_names_the_others(
    house: GatewayHouse,
) -> None:
    async with house.client() as client:
        response = await client.put("/api/v1/backup/policies", json={})

    problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schedule": "0 2 * * *"}, "name"),
        ({"name": 7, "schedule": "0 2 * * *"}, "name"),
        ({"name": "", "schedule": "0 2 * * *"}, "name"),
        ({"name": "a\n", "schedule": "0 2 * * *"}, "name"),
        ({"name": "a\u0000", "schedule": "0 2 * * *"}, "name"),
        ({"name": "a", "schedule": "0 2 * * *", "keep_daily": -1}, "keep_daily"),
        ({"name": "a", "schedule": "0 2 * * *", "keep_dayly": 1}, "keep_dayly"),
        ({"name": "a", "schedule": "0 2 * * *", "enabled": None}, "enabled"),
        ({"name": "a", "schedule": "* * * * *", "destination_ids": ["x"]}, "destination_ids[0]"),
    ],
)
async def test_a_wrong_body_is_400_and_names_the_field(
    body: dict[str, Any], field: str, house: GatewayHouse
) -> None:
    async with house.client() as client:
        response = await client.post("/api/v1/backup/policies", json=body)

    document = problem(response, 400, "invalid_request")
    assert [each["field"] for each in document["errors"]] == [field]
    assert document["errors"][0]["message"] in document["detail"]
    assert not [each for each in house.bus.asked if isinstance(each, q.CreatePolicy)]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b'{"name": "\\ud800"}'])
async def test_a_body_that_is_no_object_is_400(body: bytes, house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.post(
            "/api/v1/devices", content=body, headers={"Content-Type": "application/json"}
        )

    problem(response, 400, "invalid_request")


async def test_a_deep_body_is_400(house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.post("/api/v1/devices", content=b"[" * 100_000)

    problem(response, 400, "invalid_request")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("status=fine", "status"),
        ("app_id=x", "app_id"),
        ("cursor=" + "x" * 201, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_400_and_named(
    query: str, field: str, house: GatewayHouse
) -> None:
    async with house.client() as client:
        response = await client.get(f"/api/v1/backup/snapshots?{query}")

    document = problem(response, 400, "invalid_request")
    assert [each["field"] for each in document["errors"]] == [field]


async def test_a_body_over_a_mebibyte_is_413(house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.post("/api/v1/devices", content=b'"' + b"x" * 1024 * 1024 + b'"')

    problem(response, 413, "body_too_large")


async def test_a_body_over_a_mebibyte_in_pieces_is_413(house: GatewayHouse) -> None:
    async def pieces() -> Any:
        for _ in range(1025):
            yield b"x" * 1024

    async with house.client() as client:
        response = await client.post("/api/v1/devices", content=pieces())

    problem(response, 413, "body_too_large")


async def test_a_fault_of_ours_is_500_and_tells_nothing_but_an_id(
    house: GatewayHouse, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: q.ListApps) -> None:
        raise RuntimeError("the password is swordfish")

    house.bus.answers[q.ListApps] = broken

    async with house.client() as client:
        response = await client.get("/api/v1/apps")

    document = problem(response, 500, "internal_error")
    assert "swordfish" not in response.text
    error_id = document["instance"].removeprefix("urn:uuid:")
    assert error_id in document["guidance"]
    assert any(error_id in str(vars(record).get("fields")) for record in caplog.records)


async def test_a_fault_of_the_catalog_is_told_no_closer(house: GatewayHouse) -> None:
    def broken(_: q.ListApps) -> None:
        raise HoldfastError(detail="UndefinedTableError")

    house.bus.answers[q.ListApps] = broken

    async with house.client() as client:
        response = await client.get("/api/v1/apps")

    problem(response, 500, "internal_error")
    assert "UndefinedTable" not in response.text


async def test_without_the_catalog_it_is_503(house: GatewayHouse) -> None:
    async with house.client() as client:
        response = await client.get("/api/v1/apps")

    problem(response, 503, "unavailable")
    assert response.headers["retry-after"]


async def test_without_the_bus_it_is_503_and_nothing_is_asked(house: GatewayHouse) -> None:
    house.bus.connected = False

    async with house.client() as client:
        response = await client.get("/api/v1/apps")

    problem(response, 503, "unavailable")
    assert house.bus.asked == []


async def test_a_secret_in_a_wrong_body_is_not_repeated(
    house: GatewayHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.client() as client:
        response = await client.post(
            "/api/v1/backup/destinations/s3", json=DESTINATION | {"secret_key": ["swordfish"]}
        )

    problem(response, 400, "invalid_request")
    assert "swordfish" not in response.text + caplog.text
