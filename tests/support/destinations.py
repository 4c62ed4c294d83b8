"""Destinations for tests that only need one to be there."""

from uuid import UUID

import msgspec

from holdfast.catalog.answers.destinations import answer_add_destination
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.deps import Deps
from holdfast.catalog.store.destinations import destination_became_ready
from holdfast.catalog.store.pool import transaction
from holdfast.events.queries import AddDestination, ListDevices
from holdfast.events.run import InitResult
from holdfast.events.views import RunAccepted
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.secretbox.envelope import seal_to


def sealed(deps: Deps, secrets: DestinationSecrets) -> bytes:
    """As the gateway does it."""
    return seal_to(deps.secrets.public_key, msgspec.json.encode(secrets), "destination-secrets")


async def add_local(
    deps: Deps, name: str, path: str = "", *, repo_password: str = ""
) -> RunAccepted:
    """Ask for a destination on the first device; its path is made of its name."""
    devices = await answer_list_devices(ListDevices(), deps)
    return await answer_add_destination(
        AddDestination(
            name=name,
            type=DestinationType.LOCAL,
            device_id=devices[0].id,
            path=path or f"/mnt/{name}",
            sealed_secrets=sealed(deps, DestinationSecrets(repo_password=repo_password)),
        ),
        deps,
    )


async def ready_destination(deps: Deps, name: str, path: str = "") -> UUID:
    """A destination whose init run has succeeded."""
    accepted = await add_local(deps, name, path)
    assert accepted.destination_id is not None
    async with transaction(deps.pool) as connection:
        await connection.execute(
            "update run set status = 'success', completed_at = $2 where id = $1",
            accepted.run_id,
            deps.now(),
        )
        await destination_became_ready(
            connection,
            accepted.destination_id,
            InitResult(repository_id=f"repository-of-{name}", config_digest=f"config-of-{name}"),
            deps.now(),
        )
    return accepted.destination_id
