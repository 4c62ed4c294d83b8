"""Devices and apps, declared by a person."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.events.queries import CreateApp, CreateDevice, RestoreApp, UpdateDevice
from holdfast.events.views import AppView, CoverageEntry, DeviceView
from holdfast.events.work import DestinationSecrets
from holdfast.gateway.schemas.text import (
    AbsolutePath,
    HostKey,
    KeyText,
    Name,
    OptionalWord,
    Port,
    Request,
    SecretText,
    Word,
)


class DeviceRequest(Request, frozen=True, kw_only=True):
    """A machine whose data is to be backed up, or that has room for backups.

    The fields from `host` on are for `type: ssh` alone.
    """

    name: Name
    type: Word = "local"
    site: OptionalWord = ""
    """Which executors serve it; empty: the instance's own."""
    host: OptionalWord = ""
    port: Port = 22
    user: OptionalWord = ""
    password: SecretText | UnsetType = UNSET
    private_key: KeyText | UnsetType = UNSET
    """In OpenSSH's or PEM form; one of password and private_key is needed."""
    passphrase: SecretText | UnsetType = UNSET
    """Opens the private key, if it is encrypted."""
    host_key: HostKey | UnsetType = UNSET
    """What it must show; absent: what it shows at the first test is trusted, and pinned."""
    jump_device_id: UUID | None = None
    """Another device behind SSH, through which this one is reached, as by `ssh -J`."""
    sudo: bool = False
    """Programs there run as root, which sudo must allow without a password."""
    engine_socket: OptionalWord = ""
    """Where its container engine listens; empty: at one of the usual places."""

    def __repr__(self) -> str:
        return f"DeviceRequest(name={self.name!r}, …)"

    def secrets(self) -> DestinationSecrets | None:
        """What is to be sealed before it goes on the bus, if anything is."""
        return login(self.password, self.private_key, self.passphrase)

    def query(self, sealed_secrets: bytes) -> CreateDevice:
        """The question to the catalog."""
        return CreateDevice(
            name=self.name,
            type=self.type,
            site=self.site,
            ssh_host=self.host,
            ssh_port=self.port,
            ssh_user=self.user,
            ssh_host_key=self.host_key or "",
            jump_device_id=self.jump_device_id,
            sudo=self.sudo,
            engine_socket=self.engine_socket,
            sealed_secrets=sealed_secrets,
        )


class DevicePatch(Request, frozen=True, kw_only=True):
    """What is to change; what is absent stays.  Test the device afterwards."""

    name: Name | UnsetType = UNSET
    host: Word | UnsetType = UNSET
    """Another host gives up the pinned key of the old one."""
    port: Port | UnsetType = UNSET
    user: Name | UnsetType = UNSET
    password: SecretText | UnsetType = UNSET
    """Takes the place of a private key."""
    private_key: KeyText | UnsetType = UNSET
    """Takes the place of a password."""
    passphrase: SecretText | UnsetType = UNSET
    host_key: HostKey | UnsetType = UNSET
    """Empty: what it shows at the next test is trusted, and pinned."""
    jump_device_id: UUID | UnsetType | None = UNSET
    """`null`: it is reached directly."""
    sudo: bool | UnsetType = UNSET
    engine_socket: OptionalWord | UnsetType = UNSET
    """Empty: at one of the usual places."""

    def __repr__(self) -> str:
        return "DevicePatch(…)"

    def secrets(self) -> DestinationSecrets | None:
        """What is to be sealed before it goes on the bus, if anything is."""
        return login(self.password, self.private_key, self.passphrase)

    def query(self, device_id: UUID, sealed_secrets: bytes) -> UpdateDevice:
        """The question to the catalog."""
        return UpdateDevice(
            device_id=device_id,
            name=self.name,
            ssh_host=self.host,
            ssh_port=self.port,
            ssh_user=self.user,
            ssh_host_key=self.host_key,
            jump_device_id=self.jump_device_id,
            sudo=self.sudo,
            engine_socket=self.engine_socket,
            sealed_secrets=sealed_secrets,
        )


def login(
    password: str | UnsetType, private_key: str | UnsetType, passphrase: str | UnsetType
) -> DestinationSecrets | None:
    """What lets us in over SSH; None when nothing was given."""
    if not (password or private_key or passphrase):
        return None
    return DestinationSecrets(
        repo_password="",
        sftp_password=password or "",
        sftp_private_key=private_key or "",
        sftp_passphrase=passphrase or "",
    )


class AppRequest(Request, frozen=True, kw_only=True):
    """An application, as the paths of its data on a device."""

    name: Name
    device_id: UUID
    paths: Annotated[tuple[AbsolutePath, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def query(self) -> CreateApp:
        """The question to the catalog."""
        return CreateApp(name=self.name, device_id=self.device_id, paths=self.paths)


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """All devices, by name."""

    devices: tuple[DeviceView, ...]


class AppList(msgspec.Struct, frozen=True, kw_only=True):
    """All apps, by name."""

    apps: tuple[AppView, ...]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """All data of all apps, by device, app and path."""

    entries: tuple[CoverageEntry, ...]


class AppRestoreRequest(Request, frozen=True, kw_only=True):
    """Bring an app back as a snapshot has it."""

    snapshot_id: UUID
    target_device_id: UUID | None = None
    """Another device; null: the app's own."""
    overwrite: bool = False
    """On another device: directories that are there and not empty are set aside, too."""
    dry_run: bool = False
    """Only look, and tell what would be done and what stands in the way."""

    def query(self, app_id: UUID) -> RestoreApp:
        """The question to the catalog."""
        return RestoreApp(
            app_id=app_id,
            snapshot_id=self.snapshot_id,
            target_device_id=self.target_device_id,
            overwrite=self.overwrite,
            dry_run=self.dry_run,
        )
