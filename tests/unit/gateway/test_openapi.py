"""The API's description: complete, and the one that is committed."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.gateway.openapi import openapi_json
from support.gateway import GatewayHouse

COMMITTED = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
OPEN = {"/health", "/ready", "/metrics"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(openapi_json())
    return described


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, each) for path, item in schema["paths"].items() for each in item.values()]


def references(node: Any) -> set[str]:
    match node:
        case {"$ref": str(target), **rest}:
            return {target} | references(rest)
        case dict():
            return set[str]().union(*(references(each) for each in node.values()))
        case list():
            return set[str]().union(*(references(each) for each in node))
    return set()


def test_it_is_the_committed_one() -> None:
    assert COMMITTED.read_bytes() == openapi_json(), "run 'holdfast contracts' and commit"


def test_it_is_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert schema["security"] == [{"token": []}]


def test_every_operation_has_an_id_of_its_own_and_a_summary(schema: dict[str, Any]) -> None:
    ids = [each["operationId"] for _, each in operations(schema)]

    assert len(set(ids)) == len(ids)
    assert all(each["summary"] and each["tags"] for _, each in operations(schema))


def test_everything_but_health_needs_the_token_and_describes_its_problems(
    schema: dict[str, Any],
) -> None:
    for path, each in operations(schema):
        if path in OPEN:
            assert each["security"] == [{}]
            continue
        assert "security" not in each  # the whole API's holds
        errors = {status for status in each["responses"] if status >= "400"}
        assert errors >= {"400", "401", "500", "503"}
        for status in errors:
            (media_type,) = each["responses"][status]["content"]
            assert media_type == "application/problem+json"


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for target in references(schema):
        name = target.removeprefix("#/components/schemas/")
        assert name in schema["components"]["schemas"]


def test_request_bodies_allow_nothing_unknown(schema: dict[str, Any]) -> None:
    bodies = {
        target.rpartition("/")[2]
        for _, each in operations(schema)
        for target in references(each.get("requestBody", {}))
    }

    assert bodies
    for name in bodies:
        assert schema["components"]["schemas"][name]["additionalProperties"] is False


@pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json"])
async def test_it_is_served_without_a_token(path: str, house: GatewayHouse) -> None:
    async with house.client(token=None) as client:
        response = await client.get(path)

    assert response.status_code == 200
    assert response.content == openapi_json()
