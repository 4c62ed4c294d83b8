"""A small instance with everything that an export carries, and the two questions about it."""

import msgspec

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import answer_create_configuration
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.policies import answer_create_policy
from holdfast.catalog.answers.portable import answer_export_settings, answer_import_settings
from holdfast.catalog.deps import Deps
from holdfast.events.portable import SECRETS_PURPOSE, Export, Secrets
from holdfast.events.queries import (
    CreateApp,
    CreateConfiguration,
    CreatePolicy,
    ExportSettings,
    ImportReport,
    ImportSettings,
    ListDevices,
)
from holdfast.events.views import KeepRules
from holdfast.secretbox.envelope import ReceiverKey, seal_to
from support.destinations import ready_destination


async def furnished(deps: Deps) -> None:
    """Two destinations, a policy with both, and two apps, one of them tied to it."""
    places = [await ready_destination(deps, name) for name in ("nas", "attic")]
    (device,) = await answer_list_devices(ListDevices(), deps)
    policy = await answer_create_policy(
        CreatePolicy(
            name="Hourly",
            schedule="5 * * * *",
            timezone="Europe/Berlin",
            jitter_seconds=60,
            window_start="22:00",
            window_end="06:00",
            keep=KeepRules(keep_hourly=24, keep_yearly=3),
            destination_ids=tuple(reversed(places)),
        ),
        deps,
    )
    await answer_create_app(CreateApp(name="wiki", device_id=device.id, paths=("/srv/wiki",)), deps)
    app = await answer_create_app(
        CreateApp(name="photos", device_id=device.id, paths=("/srv/photos", "/srv/thumbs")), deps
    )
    await answer_create_configuration(
        CreateConfiguration(
            app_id=app.id,
            policy_id=policy.id,
            include_paths=("/srv/photos",),
            exclude_paths=("*.tmp",),
        ),
        deps,
    )


async def exported(deps: Deps) -> tuple[Export, Secrets]:
    """As the gateway asks for it."""
    key = ReceiverKey.generate()
    answer = await answer_export_settings(ExportSettings(public_key=key.public), deps)
    plain = key.open(answer.sealed_secrets, SECRETS_PURPOSE)
    return answer.export, msgspec.json.decode(plain, type=Secrets)


async def imported(
    deps: Deps, file: Export, secrets: Secrets, *, dry_run: bool = False, replace: bool = False
) -> ImportReport:
    """As the gateway asks for it."""
    sealed = seal_to(deps.secrets.public_key, msgspec.json.encode(secrets), SECRETS_PURPOSE)
    return await answer_import_settings(
        ImportSettings(export=file, sealed_secrets=sealed, dry_run=dry_run, replace=replace), deps
    )


def without_moment(file: Export) -> Export:
    """What two exports have in common when nothing differs but who exported when."""
    return msgspec.structs.replace(
        file, instance_id=NOBODY.instance_id, exported_at=NOBODY.exported_at
    )


NOBODY = msgspec.json.decode(
    b'{"instance_id":"00000000-0000-0000-0000-000000000000","exported_at":"2000-01-01T00:00:00Z"}',
    type=Export,
)
