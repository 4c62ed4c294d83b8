"""What may change about a destination, and what has to be tried first."""

import msgspec
from msgspec import UNSET

from holdfast.catalog.domain.destination import checked_runs, checked_secrets
from holdfast.catalog.domain.limits import checked_limits
from holdfast.catalog.domain.s3_place import checked_certificate
from holdfast.catalog.domain.ssh import checked_host_key
from holdfast.catalog.domain.text import checked_name
from holdfast.events.queries import UpdateDestination
from holdfast.events.views import DestinationView
from holdfast.events.work import DestinationAddress, DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError


def changed_view(
    view: DestinationView, query: UpdateDestination, default_zone: str
) -> DestinationView:
    """*view* with what needs no test; InvalidRequestError names the field that will not do."""
    return msgspec.structs.replace(
        view,
        name=view.name if query.name is UNSET else checked_name(query.name),
        enabled=view.enabled if query.enabled is UNSET else query.enabled,
        max_runs=view.max_runs if query.max_runs is UNSET else checked_runs(query.max_runs),
        limits=view.limits if query.limits is UNSET else checked_limits(query.limits, default_zone),
        append_only=view.append_only if query.append_only is UNSET else query.append_only,
    )


def is_to_be_tried(query: UpdateDestination, given: DestinationSecrets) -> bool:
    """Whether anything changes by which the place is reached or opened."""
    return (
        query.s3_ca_certificate is not UNSET
        or query.sftp_host_key is not UNSET
        or any(msgspec.structs.astuple(given))
    )


def changed_address(address: DestinationAddress, query: UpdateDestination) -> DestinationAddress:
    """*address* with the certificate or host key that is to be tried."""
    if query.s3_ca_certificate is not UNSET:
        if address.type is not DestinationType.S3:
            raise InvalidRequestError("ca_certificate: only an S3 destination has one.")
        certificate = checked_certificate(query.s3_ca_certificate)
        address = msgspec.structs.replace(address, s3_ca_certificate=certificate)
    if query.sftp_host_key is not UNSET:
        if address.type is not DestinationType.SFTP:
            raise InvalidRequestError("host_key: only an SFTP destination has one.")
        host_key = checked_host_key(query.sftp_host_key)
        address = msgspec.structs.replace(address, sftp_host_key=host_key)
    return address


def changed_secrets(
    type_: DestinationType, old: DestinationSecrets, given: DestinationSecrets
) -> DestinationSecrets:
    """*old* with what is *given* in place; InvalidRequestError for what *type_* has no use for.

    A password takes a private key's place, and the other way round.
    """
    fields = {name: value for name, value in msgspec.structs.asdict(given).items() if value}
    strange = [name for name in fields if not name.startswith((f"{type_.value}_", "repo_"))]
    if strange:
        raise InvalidRequestError(
            f"{strange[0].partition('_')[2]}: a destination of type {type_.value!r} has none."
        )
    if "sftp_private_key" in fields:
        fields = {"sftp_password": "", "sftp_passphrase": "", **fields}
    elif "sftp_password" in fields:
        fields = {**fields, "sftp_private_key": "", "sftp_passphrase": ""}
    return checked_secrets(type_, msgspec.structs.replace(old, **fields))
