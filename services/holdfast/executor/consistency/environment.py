"""The environment of an app's containers: asked of the engine when a backup is made, and kept
in a snapshot of its own beside that of the files.

Passwords are in it.  So it goes from the engine's socket to restic's standard input, and is on
no disk, in no argument, in no database and on no bus.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from holdfast.devices.engine import Engine, open_here
from holdfast.devices.facts import facts_of
from holdfast.events.discovery import FoundApp
from holdfast.events.work import BackupRequested, BackupTarget
from holdfast.executor.attempt import Attempt
from holdfast.executor.beside import tags_beside
from holdfast.executor.consistency.commands import runner_of
from holdfast.executor.discovery import Container
from holdfast.executor.there import with_restic
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import backup
from holdfast.restic.commands.backup import BackupOptions
from holdfast.telemetry.logs import Log

log = Log("executor")

FILE = "holdfast-environment.json"

OWN_NETWORKS = ("default", "bridge", "host", "none", "podman", "pasta", "slirp4netns")
"""Of the engine itself, or none at all."""


class ContainerEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Of one container."""

    container: str
    image: str
    environment: tuple[str, ...]
    """``NAME=value``, those that the image sets too."""
    inspected: msgspec.Raw = msgspec.Raw(b"null")
    """All that the engine told of it, in its own words: by that it can be made again."""
    registry_names: tuple[str, ...] | None = None
    """By what its very image can be had from a registry again, ``name@sha256:…``; empty: it came
    from none; None: it is not known."""


class _Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    networks: dict[str, msgspec.Raw] | None = None


class _Inspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    image: str = ""
    network_settings: _Settings = _Settings()


class _Image(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    repo_digests: tuple[str, ...] | None = None


class Environments(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    containers: tuple[ContainerEnvironment, ...]
    app: FoundApp | None = None
    """What the app was then."""
    networks: tuple[msgspec.Raw, ...] = ()
    """What the engine told of those that the containers are in, the engine's own left out."""


async def keep_environments(
    attempt: Attempt, work: BackupRequested, target: BackupTarget, restic: Restic
) -> tuple[str, ...]:
    """Write it to a destination; what could not be read, in words.

    Whoever dies between this and the snapshot of the files leaves a second one like it behind,
    which goes with the first.
    """
    if not work.environment_of:
        return ()
    try:
        read, networks = await _read(attempt, work.environment_of)
    except HoldfastError as error:
        # The files are worth a snapshot without it.
        log.warning("environment_not_read", run_id=str(work.run_id), error=str(error))
        read, networks = {}, ()
    if read:
        kept = Environments(containers=tuple(read.values()), app=work.found, networks=networks)
        options = _options(work, kept)
        await with_restic(attempt, target.address, restic, lambda here: backup.run(here, options))
    return tuple(f"environment of {name}" for name in work.environment_of if name not in read)


async def _read(
    attempt: Attempt, names: Sequence[str]
) -> tuple[dict[str, ContainerEnvironment], tuple[msgspec.Raw, ...]]:
    """Of those of the containers that are there, by name, and of their networks."""
    facts = await facts_of(runner_of(attempt), attempt.deps.now, program="restic")
    connect = open_here if attempt.host is None else attempt.host.open
    found: dict[str, ContainerEnvironment] = {}
    networks: dict[str, msgspec.Raw] = {}
    for socket in filter(None, (facts.docker, facts.podman)):
        engine = Engine(connect, socket)
        for name in names:
            told = None if name in found else await engine.get(f"/containers/{quote(name)}/json")
            if told is not None:
                config = msgspec.json.decode(told, type=Container).config
                found[name] = ContainerEnvironment(
                    container=name,
                    image=config.image,
                    environment=config.env or (),
                    inspected=msgspec.Raw(told),
                    registry_names=await _registry_names(engine, told),
                )
                for network in _networks(told).difference(networks, OWN_NETWORKS):
                    shown = await engine.get(f"/networks/{quote(network)}")
                    if shown is not None:
                        networks[network] = msgspec.Raw(shown)
    return found, tuple(networks.values())


async def _registry_names(engine: Engine, told: bytes) -> tuple[str, ...] | None:
    """Of a container's image; None: the engine does not know that image any more."""
    image = msgspec.json.decode(told, type=_Inspected).image
    shown = await engine.get(f"/images/{quote(image)}/json") if image else None
    if shown is None:
        return None
    names = msgspec.json.decode(shown, type=_Image).repo_digests or ()
    # Podman names what was built here so.
    return tuple(each for each in names if not each.startswith("localhost/"))


def _networks(told: bytes) -> set[str]:
    """Names of those that a container is in."""
    return set(msgspec.json.decode(told, type=_Inspected).network_settings.networks or {})


def _options(work: BackupRequested, read: Environments) -> BackupOptions:
    return BackupOptions(
        content=msgspec.json.encode(read),
        stdin_filename=FILE,
        tags=tags_beside(work.run_id),
        host=work.hostname,
        group_by="host,paths",
    )
