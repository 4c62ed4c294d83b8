"""Questions about devices."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.text import checked_name
from holdfast.catalog.store import devices
from holdfast.catalog.store.pool import reading, transaction
from holdfast.events.queries import CreateDevice, ListDevices
from holdfast.events.views import DeviceView
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id


async def answer_create_device(query: CreateDevice, deps: Deps) -> DeviceView:
    """Declare a machine; ConflictError when its name is taken."""
    if query.type != "local":
        raise InvalidRequestError(
            f"type: {query.type!r} is not a kind of device.",
            guidance="This version knows 'local': a machine with an executor of its own.",
        )
    device = DeviceView(
        id=new_id(),
        name=checked_name(query.name),
        type=query.type,
        site=_site(query.site, deps.settings.site),
        created_at=deps.now(),
    )

    async with transaction(deps.pool) as connection:
        await devices.add(connection, device)
    return device


async def answer_list_devices(_query: ListDevices, deps: Deps) -> tuple[DeviceView, ...]:
    """All devices, by name."""
    async with reading(deps.pool) as connection:
        return await devices.listed(connection)


def _site(value: str, default: str) -> str:
    """A site is one word of a NATS subject."""
    site = value or default
    if not site.isascii() or not site.replace("-", "").replace("_", "").isalnum():
        raise InvalidRequestError(
            f"site: {site!r} may have letters, digits, '-' and '_' only.",
            guidance="Use the HOLDFAST_SITE of the executor beside the device.",
        )
    return site
