"""What a recovery kit says: for each destination what to type, on any machine with restic."""

import shlex
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import msgspec

from holdfast.events.queries import KitContent, KitDestination
from holdfast.events.work import (
    DestinationAddress,
    DestinationSecrets,
    DestinationType,
    S3Addressing,
)
from holdfast.kernel.secret import Secret
from holdfast.secretbox.passphrase import SealedText
from holdfast.storage.base import S3Target
from holdfast.storage.s3_address import is_virtual_host, repository_url

FORMAT = 1

COMMANDS = ("snapshots", "check", "restore latest --target restored")
"""List, check, restore."""

ADDRESSING = {S3Addressing.AUTO: None, S3Addressing.PATH: False, S3Addressing.VIRTUAL: True}

SSH_PORT = 22

SSH = ("-F none", "-o GlobalKnownHostsFile=/dev/null", "-o StrictHostKeyChecking=yes")
"""Only what the kit says counts, not the machine's own settings."""

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
    preparation: tuple[str, ...] = ()
    """To be typed first, in the folder in which the commands are typed: files that they need."""
    environment: dict[str, str]
    """To be set before the commands."""
    commands: tuple[str, str, str]
    """List, check, restore."""

    @property
    def exports(self) -> tuple[str, ...]:
        """Preparation and environment as lines for a shell."""
        return self.preparation + tuple(
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
    files = _Files(address)
    url = _url(address)
    # As restic strips what it reads from a file, which is how Holdfast gives it the password.
    password = secrets.repo_password.strip()
    environment = {"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": password}
    if address.type is DestinationType.S3:
        environment["AWS_ACCESS_KEY_ID"] = secrets.s3_access_key
        environment["AWS_SECRET_ACCESS_KEY"] = secrets.s3_secret_key
        if address.s3_region:
            environment["AWS_DEFAULT_REGION"] = address.s3_region
        if address.s3_ca_certificate:
            environment["RESTIC_CACERT"] = files.add("pem", address.s3_ca_certificate)
    options = _options(address, secrets, files)
    return KitEntry(
        name=address.name,
        kind=KINDS[address.type],
        place=_place(destination),
        in_use=destination.in_use,
        repository=url,
        password=password,
        preparation=tuple(files.lines),
        environment=environment,
        commands=(
            f"restic {options}{COMMANDS[0]}",
            f"restic {options}{COMMANDS[1]}",
            f"restic {options}{COMMANDS[2]}",
        ),
    )


class _Files:
    """Files that the commands need, and the lines that make them."""

    def __init__(self, address: DestinationAddress) -> None:
        self.lines: list[str] = []
        # Without a space: restic takes the arguments of ssh apart at spaces.
        self._name = f"holdfast-{address.destination_id.hex[-8:]}"

    def add(self, ending: str, content: str) -> str:
        """The name of a file with *content*, which nobody else can read."""
        name = f"{self._name}.{ending}"
        text = "\n".join(content.strip().splitlines())
        self.lines.append(f"(umask 077; printf '%s\\n' {shlex.quote(text)} > {name})")
        return name


def _options(address: DestinationAddress, secrets: DestinationSecrets, files: _Files) -> str:
    """What restic cannot take from the environment."""
    if address.type is DestinationType.S3:
        lookup = "dns" if is_virtual_host(_s3(address)) else "path"
        return f"-o s3.bucket-lookup={lookup} "
    if address.type is not DestinationType.SFTP:
        return ""
    host, port = address.sftp_host, address.sftp_port
    name = host if port == SSH_PORT else f"[{host}]:{port}"
    known = f"{name} {address.sftp_host_key}"
    words = [*SSH, f"-o UserKnownHostsFile={files.add('known_hosts', known)}"]
    if address.sftp_jumps:
        words[0] = f"-F {files.add('ssh_config', _way(address, secrets, files))}"
        words.append(f"-o ProxyJump=jump-{len(address.sftp_jumps)}")
    if secrets.sftp_private_key:
        words += [f"-i {files.add('key', secrets.sftp_private_key)}", "-o IdentitiesOnly=yes"]
    else:
        words.append("-o PubkeyAuthentication=no")
    return f"-o sftp.args={shlex.quote(' '.join(words))} "


def _way(address: DestinationAddress, secrets: DestinationSecrets, files: _Files) -> str:
    """The machines on the way, as ssh's configuration has them: each with its own key."""
    logins = {each.device_id: each for each in secrets.jump_logins}
    lines: list[str] = []
    for number, jump in enumerate(address.sftp_jumps, start=1):
        name = jump.host if jump.port == SSH_PORT else f"[{jump.host}]:{jump.port}"
        known = files.add(f"jump-{number}.known_hosts", f"{name} {jump.host_key}")
        lines += (f"Host jump-{number}", f"HostName {jump.host}", f"Port {jump.port}")
        lines += (f"User {jump.user}", f"UserKnownHostsFile {known}")
        lines += ("GlobalKnownHostsFile /dev/null", "StrictHostKeyChecking yes")
        if number > 1:
            lines.append(f"ProxyJump jump-{number - 1}")
        login = logins.get(jump.device_id)
        if login is not None and login.private_key:
            key = files.add(f"jump-{number}.key", login.private_key)
            lines += (f"IdentityFile {key}", "IdentitiesOnly yes")
        else:
            lines.append("PubkeyAuthentication no")
    return "\n".join(lines)


def _asked_on_the_way(address: DestinationAddress, secrets: DestinationSecrets) -> str:
    """What is typed for the machines on the way."""
    logins = {each.device_id: each for each in secrets.jump_logins}
    words = ""
    for jump in address.sftp_jumps:
        login = logins.get(jump.device_id)
        asked = (login.passphrase if login.private_key else login.password) if login else ""
        words += f", through {jump.host} as {jump.user}"
        words += f" (ssh asks for: {asked})" if asked else ""
    return words


def _s3(address: DestinationAddress) -> S3Target:
    nobody = Secret("")
    return S3Target(
        endpoint=address.s3_endpoint,
        bucket=address.s3_bucket,
        region=address.s3_region,
        prefix=address.s3_prefix,
        virtual_host=ADDRESSING[address.s3_addressing],
        access_key=nobody,
        secret_key=nobody,
    )


def _url(address: DestinationAddress) -> str:
    match address.type:
        case DestinationType.LOCAL:
            return address.local_path
        case DestinationType.S3:
            return repository_url(_s3(address))
        case DestinationType.SFTP:
            user, path = quote(address.sftp_user, safe=""), quote(address.sftp_path)
            host = f"[{address.sftp_host}]" if ":" in address.sftp_host else address.sftp_host
            # After the host one slash is eaten: a path from the root has two.
            return f"sftp://{user}@{host}:{address.sftp_port}/{path}"


def _place(destination: KitDestination) -> str:
    address = destination.address
    match address.type:
        case DestinationType.LOCAL:
            return f"{address.local_path} on {destination.device or 'a machine that is gone'}"
        case DestinationType.S3:
            folder = f", below {address.s3_prefix}" if address.s3_prefix else ""
            return f"{address.s3_bucket} at {address.s3_endpoint}{folder}"
        case DestinationType.SFTP:
            secrets = destination.secrets
            where = f"{address.sftp_path} on {address.sftp_host}, as {address.sftp_user}"
            where += _asked_on_the_way(address, secrets)
            if secrets.sftp_private_key:
                asked = f"; ssh asks for: {secrets.sftp_passphrase}"
                return where + (asked if secrets.sftp_passphrase else "")
            return f"{where}; ssh asks for: {secrets.sftp_password}"
