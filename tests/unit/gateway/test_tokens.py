"""Who may come in."""

import hashlib

import pytest

from holdfast.events import queries as q
from holdfast.kernel.errors import UnauthorizedError
from holdfast.secretbox.tokens import token_hash
from support.gateway import TOKEN, GatewayHouse

PROTECTED = [
    ("GET", "/api/v1/status"),
    ("GET", "/events"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/backup/snapshots"),
    ("POST", "/api/v1/backup/destinations/s3"),
    ("DELETE", "/api/v1/backup/policies/0190a000-0000-7000-8000-000000000001"),
]


@pytest.fixture
def listed(house: GatewayHouse) -> GatewayHouse:
    house.bus.answers[q.ListApps] = ()
    return house


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_without_a_token_nothing_is_told_or_asked(
    method: str, path: str, house: GatewayHouse
) -> None:
    async with house.client(token=None) as client:
        response = await client.request(method, path)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "unauthorized"
    assert house.bus.asked == []


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer  ", "Basic YTpi", TOKEN, "Bearer " + "x" * 600]
)
async def test_a_header_that_holds_no_token_is_refused(header: str, house: GatewayHouse) -> None:
    async with house.client(token=None) as client:
        response = await client.get("/api/v1/apps", headers={"Authorization": header})

    assert response.status_code == 401
    assert house.bus.asked == []


async def test_only_the_hash_goes_on_the_bus(listed: GatewayHouse) -> None:
    async with listed.client() as client:
        response = await client.get("/api/v1/apps")

    assert response.status_code == 200
    asked = listed.asked(q.VerifyToken)
    assert asked.token_hash == hashlib.sha256(TOKEN.encode()).digest() == token_hash(TOKEN)


async def test_the_scheme_is_read_in_any_case(listed: GatewayHouse) -> None:
    async with listed.client(token=None) as client:
        response = await client.get("/api/v1/apps", headers={"Authorization": f"bearer {TOKEN}"})

    assert response.status_code == 200


async def test_a_good_token_is_remembered_for_ten_seconds(listed: GatewayHouse) -> None:
    async with listed.client() as client:
        await client.get("/api/v1/apps")
        listed.clock.seconds += 9.9
        await client.get("/api/v1/apps")
        remembered = [each for each in listed.bus.asked if isinstance(each, q.VerifyToken)]
        listed.clock.seconds += 0.2
        await client.get("/api/v1/apps")

    assert len(remembered) == 1
    assert len([each for each in listed.bus.asked if isinstance(each, q.VerifyToken)]) == 2


async def test_a_withdrawn_token_stops_working_within_ten_seconds(listed: GatewayHouse) -> None:
    def unknown(_: q.VerifyToken) -> q.Principal:
        raise UnauthorizedError

    async with listed.client() as client:
        before = await client.get("/api/v1/apps")
        listed.bus.answers[q.VerifyToken] = unknown
        listed.clock.seconds += 10.1
        after = await client.get("/api/v1/apps")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_refusal_is_not_remembered(listed: GatewayHouse) -> None:
    def unknown(_: q.VerifyToken) -> q.Principal:
        raise UnauthorizedError

    async with listed.client() as client:
        listed.bus.answers[q.VerifyToken] = unknown
        before = await client.get("/api/v1/apps")
        listed.bus.answers[q.VerifyToken] = q.Principal(name="admin")
        after = await client.get("/api/v1/apps")

    assert (before.status_code, after.status_code) == (401, 200)


async def test_a_token_is_not_good_because_the_catalog_is_away(listed: GatewayHouse) -> None:
    del listed.bus.answers[q.VerifyToken]

    async with listed.client() as client:
        response = await client.get("/api/v1/apps")

    assert response.status_code == 503
