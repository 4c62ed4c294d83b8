"""What a device may be, and how it changes."""

from msgspec import UNSET
from msgspec.structs import replace

from holdfast.catalog.domain.destination import checked_secrets
from holdfast.catalog.domain.paths import absolute_path
from holdfast.catalog.domain.ssh import checked_host, checked_host_key, checked_port
from holdfast.catalog.domain.text import checked_name
from holdfast.events.queries import CreateDevice, UpdateDevice
from holdfast.events.views import DeviceView
from holdfast.events.work import DestinationSecrets, DestinationType, DeviceAddress
from holdfast.kernel.errors import InvalidRequestError

LOCAL, SSH = "local", "ssh"

_NOT_SSH = "Only a device of type 'ssh' has an address, a host key and credentials."


def new_device(query: CreateDevice, device: DeviceView) -> DeviceView:
    """*device*, whose id and time are set, with what *query* asks for.

    InvalidRequestError names the field that will not do.
    """
    device = replace(device, name=checked_name(query.name), type=query.type)
    if query.type == LOCAL:
        ssh = (query.ssh_host, query.ssh_user, query.ssh_host_key, query.jump_device_id)
        if any(ssh) or query.engine_socket or query.sealed_secrets:
            raise InvalidRequestError("type: 'local' has no SSH address.", guidance=_NOT_SSH)
        return device
    if query.type != SSH:
        raise InvalidRequestError(
            f"type: {query.type!r} is not a kind of device.",
            guidance="'local' is a machine with an executor of its own, 'ssh' one that an "
            "executor reaches over SSH.",
        )
    return replace(
        device,
        ssh_host=checked_host(query.ssh_host),
        ssh_port=checked_port(query.ssh_port),
        ssh_user=checked_name(query.ssh_user, "user"),
        ssh_host_key=checked_host_key(query.ssh_host_key),
        jump_device_id=query.jump_device_id,
        sudo=query.sudo,
        engine_socket=checked_socket(query.engine_socket),
    )


def changed_device(device: DeviceView, query: UpdateDevice) -> DeviceView:
    """*device* with what *query* changes.

    Another host has another key: where it changes, the pinned key is given up unless a new one
    is named.  InvalidRequestError names the field that will not do.
    """
    if query.name is not UNSET:
        device = replace(device, name=checked_name(query.name))
    where = (query.ssh_host, query.ssh_port, query.ssh_host_key, query.jump_device_id)
    ssh = (*where, query.ssh_user, query.sudo, query.engine_socket)
    if all(each is UNSET for each in ssh) and not query.sealed_secrets:
        return device
    if device.type != SSH:
        raise InvalidRequestError("The device is no machine behind SSH.", guidance=_NOT_SSH)
    if query.ssh_host is not UNSET:
        host = checked_host(query.ssh_host)
        moved = host != device.ssh_host
        device = replace(device, ssh_host=host, ssh_host_key="" if moved else device.ssh_host_key)
    if query.ssh_port is not UNSET:
        device = replace(device, ssh_port=checked_port(query.ssh_port))
    if query.ssh_user is not UNSET:
        device = replace(device, ssh_user=checked_name(query.ssh_user, "user"))
    if query.ssh_host_key is not UNSET:
        device = replace(device, ssh_host_key=checked_host_key(query.ssh_host_key))
    if query.jump_device_id is not UNSET:
        device = replace(device, jump_device_id=query.jump_device_id)
    if query.sudo is not UNSET:
        device = replace(device, sudo=query.sudo)
    if query.engine_socket is not UNSET:
        device = replace(device, engine_socket=checked_socket(query.engine_socket))
    return device


def checked_jump(device: DeviceView, jump: DeviceView | None) -> None:
    """Refuse what cannot be a way to *device*.  Raises InvalidRequestError."""
    if device.jump_device_id is None:
        return
    if jump is None:
        raise InvalidRequestError("jump_device_id: there is no such device.")
    if jump.type != SSH:
        raise InvalidRequestError(
            f"jump_device_id: {jump.name} is not reached over SSH.",
            guidance="Name a device of type 'ssh', or none: an executor reaches it directly.",
        )


def checked_login(secrets: DestinationSecrets) -> DestinationSecrets:
    """*secrets* if they let somebody in over SSH.  Raises InvalidRequestError."""
    return checked_secrets(DestinationType.SFTP, secrets)


def is_known(device: DeviceView) -> bool:
    """Whether it is this machine, or one whose host key is pinned."""
    return device.type != SSH or device.tested_at is not None


def far_address(device: DeviceView) -> DeviceAddress | None:
    """Where an executor has to log in for it; None for the executor's own machine."""
    return address_of(device) if device.type == SSH else None


def address_of(device: DeviceView) -> DeviceAddress:
    """The same for an executor.  InvalidRequestError for a device without SSH."""
    if device.type != SSH or device.ssh_host is None or device.ssh_user is None:
        raise InvalidRequestError(
            f"{device.name} is not reached over SSH.",
            guidance="A local device is where its executor runs: 'holdfast doctor' looks at it.",
        )
    return DeviceAddress(
        device_id=device.id,
        name=device.name,
        host=device.ssh_host,
        port=device.ssh_port or 22,
        user=device.ssh_user,
        host_key=device.ssh_host_key or "",
        jumps=device.jumps,
        sudo=device.sudo,
        engine_socket=device.engine_socket,
    )


def checked_socket(path: str) -> str:
    """An absolute path, or nothing.  Raises InvalidRequestError."""
    return absolute_path(path.removeprefix("unix://"), "engine_socket") if path else ""
