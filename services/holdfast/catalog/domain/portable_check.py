"""A file from outside, checked by the rules that a person's own requests are held to."""

from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.domain import policy as policy_rules
from holdfast.catalog.domain.consistency import checked_consistency
from holdfast.catalog.domain.destination import checked_lock, checked_runs
from holdfast.catalog.domain.device import LOCAL, SSH, checked_socket
from holdfast.catalog.domain.drill import checked_drill
from holdfast.catalog.domain.paths import absolute_path, data_paths, exclude_patterns
from holdfast.catalog.domain.portable import checked_version
from holdfast.catalog.domain.s3_place import checked_certificate, s3_place
from holdfast.catalog.domain.ssh import checked_host, checked_host_key, checked_port
from holdfast.catalog.domain.text import checked_name, checked_text
from holdfast.events.portable import (
    Export,
    PortableApp,
    PortableConfiguration,
    PortableDestination,
    PortableDevice,
    PortablePolicy,
)
from holdfast.events.views import KeepRules
from holdfast.events.work import DestinationType, LockMode, ObjectLock
from holdfast.kernel.errors import InvalidRequestError


def checked(file: Export, default_timezone: str) -> Export:
    """*file* with every value in its plain form.  InvalidRequestError names the thing and field."""
    checked_version(file)
    return replace(
        file,
        devices=_in_order(tuple(_device(each) for each in file.devices)),
        destinations=tuple(_destination(each, default_timezone) for each in file.destinations),
        policies=tuple(_policy(each, default_timezone) for each in file.policies),
        apps=tuple(_app(each) for each in file.apps),
        configurations=tuple(_configuration(each) for each in file.configurations),
    )


def _in_order(devices: tuple[PortableDevice, ...]) -> tuple[PortableDevice, ...]:
    """Each after the one that it is reached through."""
    ordered: dict[UUID, PortableDevice] = {}
    left = {each.id: each for each in devices}
    types = {each.id: each.type for each in devices}
    while left:
        ready = [each for each in left.values() if each.jump_device_id not in left]
        if not ready:
            names = ", ".join(sorted(each.name for each in left.values()))
            raise InvalidRequestError(f"Devices are reached in a circle: {names}.")
        for each in ready:
            if each.jump_device_id and types.get(each.jump_device_id) == LOCAL:
                raise InvalidRequestError(
                    f"device {each.name!r}: its jump host is not reached over SSH."
                )
            ordered[each.id] = left.pop(each.id)
    return tuple(ordered.values())


def _device(device: PortableDevice) -> PortableDevice:
    name = checked_name(device.name, "device")
    if device.type == LOCAL:
        return replace(device, name=name, jump_device_id=None, engine_socket="")
    if device.type != SSH:
        raise InvalidRequestError(f"device {name!r}: {device.type!r} is not a kind of device.")
    return replace(
        device,
        name=name,
        ssh_host=checked_host(device.ssh_host),
        ssh_port=checked_port(device.ssh_port),
        ssh_user=checked_name(device.ssh_user, "user"),
        ssh_host_key=checked_host_key(device.ssh_host_key),
        engine_socket=checked_socket(device.engine_socket),
    )


def _destination(each: PortableDestination, default_timezone: str) -> PortableDestination:
    field = f"destination {each.name!r}"
    lock = _lock(each, field)
    each = replace(
        each,
        s3_lock_mode="" if lock is None else lock.mode.value,
        s3_lock_days=0 if lock is None else lock.days,
        name=checked_name(each.name, "destination"),
        max_runs=checked_runs(each.max_runs),
        parent_path=checked_text(each.parent_path, field),
        prune_schedule=policy_rules.checked_schedule(each.prune_schedule, field),
        prune_timezone=policy_rules.checked_timezone(each.prune_timezone, default_timezone, field),
    )
    match each.type:
        case DestinationType.LOCAL:
            if each.local_device_id is None:
                raise InvalidRequestError(f"{field} names no device.")
            return replace(each, local_path=absolute_path(each.local_path, field))
        case DestinationType.S3:
            place = s3_place(
                endpoint=each.s3_endpoint,
                bucket=each.s3_bucket,
                region=each.s3_region,
                prefix=each.s3_prefix,
            )
            return replace(
                each,
                s3_endpoint=place.endpoint,
                s3_bucket=place.bucket,
                s3_region=place.region,
                s3_prefix=place.prefix,
                s3_ca_certificate=checked_certificate(each.s3_ca_certificate),
            )
        case DestinationType.SFTP:
            if not 0 < each.sftp_port < 65_536:
                raise InvalidRequestError(f"{field}: {each.sftp_port} is no port.")
            return replace(
                each,
                sftp_host=checked_name(each.sftp_host, field).lower(),
                sftp_user=checked_name(each.sftp_user, field),
                sftp_path=checked_name(each.sftp_path, field),
                sftp_host_key=checked_host_key(each.sftp_host_key),
            )


def _lock(each: PortableDestination, field: str) -> ObjectLock | None:
    """Only a bucket can have one."""
    if not each.s3_lock_mode or each.type is not DestinationType.S3:
        return None
    try:
        mode = LockMode(each.s3_lock_mode)
    except ValueError:
        raise InvalidRequestError(
            f"{field}: {each.s3_lock_mode!r} is no mode of Object Lock."
        ) from None
    return checked_lock(ObjectLock(mode=mode, days=each.s3_lock_days))


def _policy(policy: PortablePolicy, default_timezone: str) -> PortablePolicy:
    field = f"policy {policy.name!r}"
    keep = KeepRules(**{name: getattr(policy, name) for name in KeepRules.__struct_fields__})
    policy_rules.checked_keep(keep)
    policy = replace(
        policy,
        name=checked_name(policy.name, "policy"),
        description=checked_text(policy.description, field).strip(),
        schedule=policy_rules.checked_schedule(policy.schedule, field),
        timezone=policy_rules.checked_timezone(policy.timezone, default_timezone, field),
        jitter_seconds=policy_rules.checked_jitter(policy.jitter_seconds),
        destination_ids=tuple(dict.fromkeys(policy.destination_ids)),
    )
    policy_rules.check_window(policy)
    return policy


def _app(app: PortableApp) -> PortableApp:
    paths = data_paths(app.paths, f"app {app.name!r}")
    if not paths and not app.key:  # one that was found may have nothing to back up
        raise InvalidRequestError(f"app {app.name!r} has no paths.")
    return replace(app, name=checked_name(app.name, "app"), paths=paths)


def _configuration(configuration: PortableConfiguration) -> PortableConfiguration:
    field = f"configuration {configuration.id}"
    return replace(
        configuration,
        include_paths=data_paths(configuration.include_paths, field),
        exclude_paths=exclude_patterns(configuration.exclude_paths, field),
        consistency=checked_consistency(configuration.consistency),
        drill=checked_drill(configuration.drill),
    )
