"""What a recovery kit says: for each destination what to type, on any machine with restic."""

import shlex
from datetime import datetime
from uuid import UUID

import msgspec

from holdfast.events.queries import KitContent, KitDestination
from holdfast.events.work import DestinationAddress, DestinationType
from holdfast.kernel.secret import Secret
from holdfast.secretbox.passphrase import SealedText
from holdfast.storage.base import S3Target
from holdfast.storage.s3_address import repository_url

FORMAT = 1

COMMANDS = ("restic snapshots", "restic check", "restic restore latest --target restored")
"""List, check, restore."""

KINDS = {
    DestinationType.LOCAL: "A folder",
    DestinationType.S3: "An S3 bucket",
    DestinationType.SFTP: "A server over SFTP",
}


class KitEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One repository: where it is, what opens it, what to type."""

    name: str
    kind: str
    place: str
    """For a person: which machine's folder, which bucket."""
    in_use: bool
    repository: str
    """As restic takes it."""
    password: str
    environment: dict[str, str]
    """To be set before the commands."""
    commands: tuple[str, str, str]
    """List, check, restore."""

    @property
    def exports(self) -> tuple[str, ...]:
        """The environment as lines for a shell."""
        return tuple(
            f"export {name}={shlex.quote(text)}" for name, text in self.environment.items()
        )


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """The whole kit, as its JSON file has it."""

    holdfast_recovery_kit: int = FORMAT
    made_at: datetime
    instance_id: UUID
    destinations: tuple[KitEntry, ...]


class SealedKitFile(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON file of a kit under a passphrase: opens to the text of the JSON file without."""

    holdfast_recovery_kit: int = FORMAT
    sealed: SealedText


def kit_of(content: KitContent) -> Kit:
    """What is to be typed, from what the catalog knows."""
    return Kit(
        made_at=content.made_at,
        instance_id=content.instance_id,
        destinations=tuple(_entry(each) for each in content.destinations),
    )


def _entry(destination: KitDestination) -> KitEntry:
    address, secrets = destination.address, destination.secrets
    url = _url(address)
    # As restic strips what it reads from a file, which is how Holdfast gives it the password.
    password = secrets.repo_password.strip()
    environment = {"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": password}
    if address.type is DestinationType.S3:
        environment["AWS_ACCESS_KEY_ID"] = secrets.s3_access_key
        environment["AWS_SECRET_ACCESS_KEY"] = secrets.s3_secret_key
        if address.s3_region:
            environment["AWS_DEFAULT_REGION"] = address.s3_region
    return KitEntry(
        name=address.name,
        kind=KINDS[address.type],
        place=_place(destination),
        in_use=destination.in_use,
        repository=url,
        password=password,
        environment=environment,
        commands=COMMANDS,
    )


def _url(address: DestinationAddress) -> str:
    match address.type:
        case DestinationType.LOCAL:
            return address.local_path
        case DestinationType.S3:
            nobody = Secret("")
            return repository_url(
                S3Target(
                    endpoint=address.s3_endpoint,
                    bucket=address.s3_bucket,
                    region=address.s3_region,
                    prefix=address.s3_prefix,
                    access_key=nobody,
                    secret_key=nobody,
                )
            )
        case DestinationType.SFTP:
            # None can be added yet.
            return "sftp:"


def _place(destination: KitDestination) -> str:
    address = destination.address
    match address.type:
        case DestinationType.LOCAL:
            return f"{address.local_path} on {destination.device or 'a machine that is gone'}"
        case DestinationType.S3:
            folder = f", below {address.s3_prefix}" if address.s3_prefix else ""
            return f"{address.s3_bucket} at {address.s3_endpoint}{folder}"
        case DestinationType.SFTP:
            return ""
