"""``discover``: which apps do the container engines of a device run."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from holdfast.devices.base import Program, Runner
from holdfast.devices.engine import Engine, EngineRefusedError
from holdfast.devices.facts import facts_of
from holdfast.events.discovery import DeviceDiscovered, FoundApp, FoundData
from holdfast.events.run import DiscoverResult, RunStatus
from holdfast.events.work import DestinationSecrets, DiscoverRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.discovery import Container, Look, Volume, apps_of, loose_volumes
from holdfast.executor.domain import Outcome, outcome_id
from holdfast.executor.engines import reached
from holdfast.executor.watches import Where

T = TypeVar("T")

AT_ONCE = 8
"""Questions to an engine; each is a channel of its own over SSH, where ten are allowed."""

WHICH_ARE = 'i=0; for f; do [ -f "$f" ] && echo "$i"; i=$((i + 1)); done; :'
"""The numbers of those of its arguments that are files."""


class _Listed(msgspec.Struct, rename={"id": "Id"}):
    id: str


class _Volumes(msgspec.Struct, rename="pascal"):
    volumes: tuple[Volume, ...] | None = None


class _Info(msgspec.Struct, rename="pascal"):
    docker_root_dir: str = ""


class _Component(msgspec.Struct, rename="pascal"):
    name: str = ""


class _Version(msgspec.Struct, rename="pascal"):
    components: tuple[_Component, ...] | None = None


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    engines: tuple[str, ...]
    apps: tuple[FoundApp, ...]
    loose: tuple[FoundData, ...]
    sockets: tuple[str, ...]
    """Where the engines listen."""


async def run(attempt: Attempt, work: DiscoverRequested) -> Outcome:
    """Tell what was found, then that it is over.  Changes nothing there.

    From then on this process listens to what the engines say.
    """
    secrets = None if work.device is None else attempt.secrets_for(work.device_id)
    found = await attempt.hold.guard(_look(attempt, work, secrets))
    event = DeviceDiscovered(
        event_id=outcome_id(DeviceDiscovered, work.run_id, attempt.claim.claim),
        occurred_at=attempt.deps.now(),
        run_id=work.run_id,
        claim=attempt.claim.claim,
        device_id=work.device_id,
        engines=found.engines,
        apps=found.apps,
        loose=found.loose,
    )
    await attempt.say(event)
    if found.sockets and attempt.deps.watches is not None:
        where = Where(device=work.device, secrets=secrets, sockets=found.sockets)
        attempt.deps.watches.keep(work.device_id, where)
    result = DiscoverResult(engines=found.engines, apps=len(found.apps))
    return Outcome(status=RunStatus.SUCCESS, result=result)


async def _look(
    attempt: Attempt, work: DiscoverRequested, secrets: DestinationSecrets | None
) -> _Found:
    async with reached(attempt.deps.runner, work.device, secrets) as host:
        facts = await facts_of(host.runner, attempt.deps.now, program="restic")
        looks: dict[str, Look] = {}
        sockets = tuple(filter(None, (facts.docker, facts.podman)))
        for socket in sockets:
            look = await _asked(Engine(host.open, socket))
            # Podman answers at Docker's socket as well, where it stands in for it.
            looks.setdefault(look.engine, look)
        own = work.own_paths if work.device else (*work.own_paths, str(attempt.deps.cache.parent))
        apps: list[FoundApp] = []
        loose: list[FoundData] = []
        for look in (replace(each, own=own) for each in looks.values()):
            its = apps_of(look)
            apps += its
            loose += loose_volumes(look, its)
        return _Found(
            engines=tuple(looks),
            apps=await _with_files(host.runner, apps),
            loose=tuple(loose),
            sockets=sockets,
        )


async def _asked(engine: Engine) -> Look:
    """All that it tells.  Raises EngineRefusedError."""
    listed = _read(await engine.get("/containers/json?all=1"), tuple[_Listed, ...])
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(id: str) -> Container | None:
        async with turns:
            told = await engine.get(f"/containers/{id}/json")
        return None if told is None else _read(told, Container)  # it may be gone by now

    containers = await asyncio.gather(*(one(each.id) for each in listed))
    version = _read(await engine.get("/version"), _Version)
    names = [each.name for each in version.components or ()]
    return Look(
        engine="podman" if any(each.startswith("Podman") for each in names) else "docker",
        containers=tuple(each for each in containers if each is not None),
        volumes=_read(await engine.get("/volumes"), _Volumes).volumes or (),
        root=_read(await engine.get("/info"), _Info).docker_root_dir,
    )


def _read(told: bytes | None, type: type[T]) -> T:
    try:
        # A label may hold it, and Postgres not.
        return msgspec.json.decode((told or b"null").replace(rb"\u0000", b""), type=type)
    except msgspec.DecodeError as error:
        raise EngineRefusedError("The container engine answers strangely.") from error


async def _with_files(runner: Runner, apps: Iterable[FoundApp]) -> tuple[FoundApp, ...]:
    """The apps with those of their compose and environment files that are there.

    A project may have been started on another machine, or inside a container.
    """
    apps = tuple(apps)
    asked = list({path for app in apps for path in (*app.compose_files, *app.env_files)})
    there: set[str] = set()
    if asked:
        argv = ("sh", "-c", WHICH_ARE, "which", *asked)
        async with runner.start(Program(argv=argv)) as process:
            there = {asked[int(line)] async for line in process.lines()}
            await process.wait()
    return tuple(
        replace(
            app,
            compose_files=tuple(each for each in app.compose_files if each in there),
            env_files=tuple(each for each in app.env_files if each in there),
        )
        for app in apps
    )
