"""The first start: made once, by however many processes, and done again after a crash."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.identity import answer_get_identity, answer_verify_token
from holdfast.catalog.answers.policies import answer_list_policies
from holdfast.catalog.deps import Deps
from holdfast.catalog.migrate import migrate
from holdfast.catalog.secrets import open_secrets
from holdfast.catalog.seed import AdminTokenError, admin_token, seed
from holdfast.catalog.store.pool import open_pool
from holdfast.events.queries import GetIdentity, ListDevices, ListPolicies, VerifyToken
from holdfast.events.work import DestinationSecrets
from holdfast.kernel.errors import UnauthorizedError
from holdfast.kernel.ids import new_id
from holdfast.kernel.secret import Secret
from holdfast.secretbox.envelope import seal_to
from holdfast.secretbox.errors import MasterKeyFileMissingError, WrongMasterKeyError
from holdfast.secretbox.keys import load_or_create_key_file
from holdfast.secretbox.tokens import token_hash
from support.catalog import Clock, opened_catalog

pytestmark = pytest.mark.postgres


async def test_a_first_start_puts_in_place_what_is_needed(deps: Deps) -> None:
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    (device,) = await answer_list_devices(ListDevices(), deps)

    assert (policy.name, policy.schedule, policy.timezone) == (
        "Default Daily Backups",
        "0 2 * * *",
        "Europe/Berlin",
    )
    assert policy.description == "Daily backups at 2 AM, retain 7 daily, 4 weekly, 6 monthly"
    assert (policy.is_default, policy.enabled) == (True, True)
    assert (policy.keep_daily, policy.keep_weekly, policy.keep_monthly) == (7, 4, 6)
    assert (device.name, device.type, device.site) == ("nas", "local", "main")


async def test_the_administrator_s_token_is_known_and_its_file_is_private(deps: Deps) -> None:
    path = deps.settings.admin_token_file
    token = path.read_text().strip()

    assert path.stat().st_mode & 0o777 == 0o600
    principal = await answer_verify_token(VerifyToken(token_hash=token_hash(token)), deps)
    assert principal.name == "administrator"
    with pytest.raises(UnauthorizedError):
        await answer_verify_token(VerifyToken(token_hash=token_hash(token + "x")), deps)


async def test_a_second_start_changes_nothing(
    postgres_dsn: str, tmp_path: Path, clock: Clock
) -> None:
    seen = []
    for _ in range(2):
        async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
            identity = await answer_get_identity(GetIdentity(), deps)
            policies = await answer_list_policies(ListPolicies(), deps)
            seen.append((identity, policies, deps.settings.admin_token_file.read_text()))
        clock.advance(days=1)

    assert seen[0] == seen[1]


async def test_four_catalogs_that_start_at_once_agree(
    postgres_dsn: str, tmp_path: Path, clock: Clock
) -> None:
    async def start() -> tuple[object, ...]:
        async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
            return (
                await answer_get_identity(GetIdentity(), deps),
                await answer_list_policies(ListPolicies(), deps),
                await answer_list_devices(ListDevices(), deps),
                await deps.pool.fetchval("select count(*) from api_token"),
                await deps.pool.fetchval("select count(*) from data_key"),
            )

    started = await asyncio.gather(*(start() for _ in range(4)))

    assert all(one == started[0] for one in started)
    assert started[0][3:] == (1, 1)


async def test_a_start_that_broke_off_after_the_token_s_file_is_completed(
    postgres_dsn: str, tmp_path: Path, clock: Clock
) -> None:
    token = admin_token(tmp_path / "data" / "admin-token")

    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
        principal = await answer_verify_token(VerifyToken(token_hash=token_hash(token)), deps)

    assert principal.name == "administrator"


def test_an_empty_token_file_is_refused_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "admin-token").touch()

    with pytest.raises(AdminTokenError, match="is empty"):
        admin_token(tmp_path / "admin-token")


async def test_what_is_sealed_to_one_process_opens_at_the_other(deps: Deps, clock: Clock) -> None:
    other = await open_secrets(deps.pool, deps.settings, clock())
    secrets = DestinationSecrets(repo_password="swordfish")
    blob = seal_to(deps.secrets.public_key, msgspec.json.encode(secrets), "destination-secrets")

    assert other.open_envelope(blob) == secrets
    assert other.open_destination(deps.secrets.seal_destination(new_id(), secrets)) == secrets


async def test_another_key_file_is_refused_and_a_missing_one_not_made_anew(
    deps: Deps, tmp_path: Path, clock: Clock
) -> None:
    elsewhere = replace(deps.settings, master_key_path=tmp_path / "another-key")

    with pytest.raises(MasterKeyFileMissingError):
        await open_secrets(deps.pool, elsewhere, clock())
    assert not (tmp_path / "another-key").exists()

    load_or_create_key_file(tmp_path / "another-key")
    with pytest.raises(WrongMasterKeyError):
        await open_secrets(deps.pool, elsewhere, clock())


async def test_a_passphrase_opens_what_it_sealed_and_another_one_does_not(
    deps: Deps, clock: Clock
) -> None:
    await deps.pool.execute("truncate data_key, receiver_key cascade")
    settings = replace(deps.settings, master_passphrase=Secret("a long enough passphrase"))
    secrets = DestinationSecrets(repo_password="swordfish")

    sealed = (await open_secrets(deps.pool, settings, clock())).seal_destination(new_id(), secrets)

    again = await open_secrets(deps.pool, settings, clock())
    assert again.open_destination(sealed) == secrets
    wrong = replace(settings, master_passphrase=Secret("a different passphrase"))
    with pytest.raises(WrongMasterKeyError):
        await open_secrets(deps.pool, wrong, clock())


async def test_the_seed_needs_no_host_name(postgres_dsn: str, tmp_path: Path, clock: Clock) -> None:
    await migrate(postgres_dsn)
    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
        await deps.pool.execute("truncate device cascade")
        pool = await open_pool(postgres_dsn, max_size=1)
        await seed(pool, deps.settings, clock())
        await pool.close()

        (device,) = await answer_list_devices(ListDevices(), deps)

    assert device.name
