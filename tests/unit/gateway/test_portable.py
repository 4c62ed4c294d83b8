"""Exports and imports over HTTP: what is secret is under a passphrase in the file, and sealed
to whoever asks on the bus."""

import msgspec
import pytest

from holdfast.events import queries as q
from holdfast.events.portable import SECRETS_PURPOSE, Export, PortableDevice, Secrets
from holdfast.events.queries import ExportSettings
from holdfast.events.work import DestinationSecrets
from holdfast.secretbox.envelope import seal_to
from support.gateway import ID, WHEN, GatewayHouse

PATH = "/api/v1/backup"
SECRETS: Secrets = {ID: DestinationSecrets(repo_password="swordfish")}
EXPORT = Export(
    instance_id=ID,
    exported_at=WHEN,
    devices=(PortableDevice(id=ID, created_at=WHEN, name="nas", type="local", site="home"),),
)
REPORT = q.ImportReport(dry_run=True, entries=())


def answer(query: ExportSettings) -> q.Exported:
    sealed = b""
    if query.public_key:
        sealed = seal_to(query.public_key, msgspec.json.encode(SECRETS), SECRETS_PURPOSE)
    return q.Exported(export=EXPORT, sealed_secrets=sealed)


@pytest.fixture
def furnished(house: GatewayHouse) -> GatewayHouse:
    house.bus.answers |= {ExportSettings: answer, q.ImportSettings: REPORT}
    return house


async def test_get_gives_settings_without_secrets(furnished: GatewayHouse) -> None:
    async with furnished.client() as client:
        response = await client.get(f"{PATH}/export")

    file = response.json()
    assert response.status_code == 200, response.text
    assert (file["format"], file["version"], file["sealed"]) == ("holdfast-export", 1, None)
    assert file["devices"][0]["name"] == "nas"
    assert furnished.asked(ExportSettings).public_key == b""


async def test_a_file_with_secrets_goes_out_and_comes_in(furnished: GatewayHouse) -> None:
    async with furnished.client() as client:
        exported = await client.post(f"{PATH}/export", json={"passphrase": "a long one"})
        body = {"file": exported.json(), "passphrase": "a long one"}
        imported = await client.post(
            f"{PATH}/import", json=body, params={"dry_run": "true", "replace": "true"}
        )

    assert exported.status_code == 200, exported.text
    assert "swordfish" not in exported.text
    assert imported.status_code == 200, imported.text
    asked = furnished.asked(q.ImportSettings)
    assert (asked.dry_run, asked.replace) == (True, True)
    assert msgspec.structs.replace(EXPORT) == msgspec.convert(
        msgspec.to_builtins(asked.export), type=Export
    )
    opened = furnished.catalog_key.open(asked.sealed_secrets, SECRETS_PURPOSE)
    assert msgspec.json.decode(opened, type=Secrets) == SECRETS


@pytest.mark.parametrize(
    ("passphrase", "status", "code"),
    [({"passphrase": "another"}, 422, "wrong_passphrase"), ({}, 400, "invalid_request")],
)
async def test_without_its_passphrase_a_file_is_refused(
    furnished: GatewayHouse, passphrase: dict[str, str], status: int, code: str
) -> None:
    async with furnished.client() as client:
        exported = await client.post(f"{PATH}/export", json={"passphrase": "a long one"})
        response = await client.post(f"{PATH}/import", json={"file": exported.json(), **passphrase})

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_no_passphrase_no_secrets(furnished: GatewayHouse) -> None:
    async with furnished.client() as client:
        response = await client.post(f"{PATH}/export", json={"passphrase": ""})

    assert response.status_code == 400
