"""The recovery kit: all that opens the repositories, for the day when Holdfast is gone."""

import msgspec

from holdfast.catalog.deps import Deps
from holdfast.catalog.logins import with_logins
from holdfast.catalog.store import destinations, instance, outbox
from holdfast.catalog.store.pool import transaction
from holdfast.events.keys import RecoveryKitMade
from holdfast.events.queries import (
    RECOVERY_KIT_PURPOSE,
    KitContent,
    KitDestination,
    MakeRecoveryKit,
    SealedKit,
)
from holdfast.kernel.ids import new_id
from holdfast.secretbox.envelope import seal_to
from holdfast.telemetry.logs import Log

log = Log("catalog")


async def answer_make_recovery_kit(query: MakeRecoveryKit, deps: Deps) -> SealedKit:
    """Seal the kit to the asker.  Removed destinations are in it: their data is still there.

    It is remembered as handed out when this answers; whether the paper was printed nobody
    can know.  InvalidPublicKeyError, and nothing is remembered, for what is no key.
    """
    now = deps.now()
    async with transaction(deps.pool) as connection:
        taken = await destinations.take_into_kit(connection)
        addresses = await destinations.addresses(connection, [each.id for each in taken])
        opened = await with_logins(
            connection,
            {each.id: deps.secrets.open_destination(each.sealed) for each in taken},
            deps,
        )
        kit = KitContent(
            instance_id=deps.instance_id,
            made_at=now,
            destinations=tuple(
                KitDestination(
                    address=addresses[each.id],
                    device=each.device,
                    in_use=each.in_use,
                    secrets=opened[each.id],
                )
                for each in taken
            ),
        )
        sealed = seal_to(query.public_key, msgspec.json.encode(kit), RECOVERY_KIT_PURPOSE)
        await instance.kit_was_made(connection, now)
        await outbox.add(
            connection,
            RecoveryKitMade(
                event_id=new_id(),
                occurred_at=now,
                destination_ids=tuple(each.id for each in taken),
            ),
        )
    deps.wake.set()
    log.warning("recovery_kit_handed_out", destinations=len(taken))
    return SealedKit(sealed=sealed)
