"""From what a container engine tells to apps and where their data is.  Pure."""

import posixpath
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec

from holdfast.events.consistency import Hook, HookKind, Quiet, When
from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService, LeftOut
from holdfast.executor.consistency.rules import rule_of

PROJECT = (
    "com.docker.compose.project",
    "io.podman.compose.project",
    "com.docker.stack.namespace",
)
SERVICE = ("com.docker.compose.service", "com.docker.swarm.service.name")
DEPENDS_ON = "com.docker.compose.depends_on"
WORKING_DIR = "com.docker.compose.project.working_dir"
CONFIG_FILES = "com.docker.compose.project.config_files"
ENVIRONMENT_FILE = "com.docker.compose.project.environment_file"
ONE_OFF = "com.docker.compose.oneoff"

ENABLE, POLICY, EXCLUDE = "holdfast.enable", "holdfast.policy", "holdfast.exclude"
DRILL = "holdfast.drill"
"""What a drill made, for as long as it lasts: neither an app nor anybody's data."""
ASIDE = ".holdfast-before-"
"""In the name of everything that an app's restore has set aside; the end of its id follows."""
STOP = "holdfast.stop"
HOOKS = {"holdfast.hook.before": When.BEFORE, "holdfast.hook.after": When.AFTER}
NO = frozenset(("false", "0", "no", "off"))
YES = frozenset(("true", "1", "yes", "on", "stop"))

KERNEL_TREES = ("/proc", "/sys", "/dev", "/run", "/var/run")


class Mount(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a container sees of the device."""

    type: str
    name: str = ""
    source: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a container was made with."""

    image: str = ""
    labels: dict[str, str] | None = None
    env: tuple[str, ...] | None = None


class State(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """How a container is."""

    status: str = ""


class Container(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One container, as the engine's API shows it."""

    name: str
    config: Config
    state: State = State()
    mounts: tuple[Mount, ...] | None = None

    def label(self, *names: str) -> str:
        """The first of those labels that it has; else empty."""
        labels = self.config.labels or {}
        return next((labels[each] for each in names if labels.get(each)), "")

    @property
    def plain_name(self) -> str:
        """Without the API's slash in front."""
        return self.name.lstrip("/")

    @property
    def service(self) -> str:
        """The compose service, or its own name."""
        return self.label(*SERVICE) or self.plain_name

    @property
    def is_set_aside(self) -> bool:
        """Whether an app's restore has made another one in its place."""
        return ASIDE in self.plain_name

    @property
    def is_enabled(self) -> bool:
        """Whether no label keeps Holdfast from it."""
        return self.label(ENABLE).strip().lower() not in NO

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Services that are started before it."""
        told = self.label(DEPENDS_ON).split(",")
        return tuple(each.split(":", 1)[0].strip() for each in told if each.strip())


class Volume(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One volume, as the engine's API shows it."""

    name: str
    driver: str = "local"
    mountpoint: str = ""
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All that one engine told."""

    engine: str
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] = ()
    root: str = ""
    """The engine's own directory."""
    own: tuple[str, ...] = ()
    """Holdfast's own directories on the device, and repositories."""


def apps_of(look: Look) -> tuple[FoundApp, ...]:
    """The apps that the engine runs, or ran: a container that is stopped has its data still."""
    groups: dict[tuple[str, str], list[Container]] = {}
    for each in look.containers:
        if each.label(ONE_OFF).lower() == "true" or each.label(DRILL) or each.is_set_aside:
            continue
        project = each.label(*PROJECT)
        kind = ("project", project) if project else ("container", each.plain_name)
        groups.setdefault(kind, []).append(each)
    return tuple(_app(look, kind, name, found) for (kind, name), found in sorted(groups.items()))


def loose_volumes(look: Look, apps: Iterable[FoundApp]) -> tuple[FoundData, ...]:
    """The volumes that are of none of the *apps* of the engine: containers were removed, say."""
    known = {each.name for app in apps for each in app.data if each.kind is DataKind.VOLUME}
    found = []
    for each in sorted(look.volumes, key=lambda volume: volume.name):
        if each.name in known or DRILL in (each.labels or {}):
            continue
        mount = Mount(type=DataKind.VOLUME, name=each.name, source=each.mountpoint)
        data = _mounted(mount, each)
        is_off = (each.labels or {}).get(ENABLE, "").strip().lower() in NO
        left_out = LeftOut.SWITCHED_OFF if is_off else _no_data(look, data, each, ())
        found.append(msgspec.structs.replace(data, left_out=left_out))
    return tuple(found)


def _app(look: Look, kind: str, name: str, containers: Sequence[Container]) -> FoundApp:
    containers = _in_order(containers)
    data = _data(look, name if kind == "project" else "", containers)
    within = [
        each for each in look.own if _is_below(each, [d.path for d in data if not d.left_out])
    ]
    return FoundApp(
        key=f"{look.engine}/{kind}/{name}",
        engine=look.engine,
        name=name,
        services=tuple(_service(each) for each in containers),
        data=data,
        compose_files=_files(containers, CONFIG_FILES),
        env_files=_files(containers, ENVIRONMENT_FILE) or _beside(containers, ".env"),
        is_switched_off=not any(each.is_enabled for each in containers),
        policy=next((each.label(POLICY) for each in containers if each.label(POLICY)), "").strip(),
        quiet=_quiet(containers),
        hooks=tuple(
            Hook(
                when=when,
                kind=HookKind.CONTAINER,
                command=each.label(label),
                container=each.plain_name,
            )
            for each in containers
            for label, when in HOOKS.items()
            if each.label(label)
        ),
        exclude=(*_words(each.label(EXCLUDE) for each in containers), *within),
    )


def _quiet(containers: Sequence[Container]) -> Quiet:
    """All of an app is brought to rest together: stopping outweighs pausing."""
    wishes = {each.label(STOP).strip().lower() for each in containers}
    if wishes & YES:
        return Quiet.STOP
    return Quiet.PAUSE if "pause" in wishes else Quiet.RUN


def _in_order(containers: Sequence[Container]) -> list[Container]:
    """Whoever is depended on first; else by name."""
    by_name = sorted(containers, key=lambda each: (each.service, each.plain_name))
    graph: TopologicalSorter[str] = TopologicalSorter()
    for each in by_name:
        graph.add(each.service, *each.depends_on)
    try:
        place = {service: index for index, service in enumerate(graph.static_order())}
    except CycleError:
        return by_name
    return sorted(by_name, key=lambda each: place[each.service])


def _service(container: Container) -> FoundService:
    names = (each.partition("=")[0] for each in container.config.env or ())
    return FoundService(
        name=container.service,
        container=container.plain_name,
        image=container.config.image,
        status=container.state.status,
        depends_on=container.depends_on,
        variables=tuple(sorted(dict.fromkeys(names))),
        is_database=rule_of(container.config.image) is not None,
    )


def _data(look: Look, project: str, containers: Sequence[Container]) -> tuple[FoundData, ...]:
    """Each volume and directory once, however many containers see it."""
    volumes = {each.name: each for each in look.volumes}
    seen: dict[tuple[str, str], tuple[FoundData, list[Container]]] = {}
    for container in containers:
        for mount in container.mounts or ():
            if mount.type not in (DataKind.VOLUME, DataKind.BIND):
                continue
            data = _mounted(mount, volumes.get(mount.name))
            seen.setdefault((data.kind, data.name or data.path), (data, []))[1].append(container)
    for each in look.volumes:
        if project and any((each.labels or {}).get(label) == project for label in PROJECT):
            mount = Mount(type=DataKind.VOLUME, name=each.name, source=each.mountpoint)
            seen.setdefault((DataKind.VOLUME, each.name), (_mounted(mount, each), []))
    return tuple(
        msgspec.structs.replace(
            data,
            services=tuple(dict.fromkeys(each.service for each in users)),
            left_out=_left_out(look, data, volumes.get(data.name), users or containers),
        )
        for data, users in seen.values()
    )


def _mounted(mount: Mount, volume: Volume | None) -> FoundData:
    path = (volume.mountpoint if volume else "") or mount.source
    if volume is not None and _is_bound(volume):
        path = (volume.options or {})["device"]
    return FoundData(
        kind=DataKind(mount.type),
        name=mount.name if mount.type == DataKind.VOLUME else "",
        path=posixpath.normpath(path) if path else "",
        services=(),
    )


def _left_out(
    look: Look, data: FoundData, volume: Volume | None, users: Sequence[Container]
) -> LeftOut | None:
    if not any(each.is_enabled for each in users):
        return LeftOut.SWITCHED_OFF
    return _no_data(look, data, volume, users)


def _no_data(
    look: Look, data: FoundData, volume: Volume | None, users: Sequence[Container]
) -> LeftOut | None:
    if data.kind is DataKind.VOLUME and not _is_bound(volume):
        return _volume_left_out(data, volume, users)
    if data.path == "/":
        return LeftOut.WHOLE_MACHINE
    if _is_below(data.path, KERNEL_TREES):
        return LeftOut.SOCKET if data.path.endswith(".sock") else LeftOut.KERNEL
    if data.path.endswith(".sock"):
        return LeftOut.SOCKET
    if look.root and _is_below(data.path, (look.root,)):
        return LeftOut.ENGINE
    return LeftOut.HOLDFAST if _is_below(data.path, look.own) else None


def _volume_left_out(
    data: FoundData, volume: Volume | None, users: Sequence[Container]
) -> LeftOut | None:
    if not data.path.startswith("/") or (volume is not None and volume.driver != "local"):
        return LeftOut.NO_FILES
    options = (volume.options if volume else None) or {}
    if options.get("type") == "tmpfs":
        return LeftOut.NO_FILES
    if options.get("device") and not any(each.state.status == "running" for each in users):
        return LeftOut.NOT_MOUNTED
    return None


def _is_bound(volume: Volume | None) -> bool:
    """Whether it is but another name for a directory of the device."""
    options = (volume.options if volume else None) or {}
    words = options.get("o", "").split(",")
    return "bind" in words and options.get("device", "").startswith("/")


def _is_below(path: str, trees: Iterable[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in trees)


def _files(containers: Sequence[Container], label: str) -> tuple[str, ...]:
    """The files that a label names; relative ones are beside the project."""
    found = (
        posixpath.normpath(posixpath.join(each.label(WORKING_DIR) or "/", word))
        for each in containers
        for word in _words([each.label(label)])
    )
    return tuple(dict.fromkeys(found))


def _beside(containers: Sequence[Container], name: str) -> tuple[str, ...]:
    folders = (each.label(WORKING_DIR) for each in containers)
    return tuple(dict.fromkeys(posixpath.join(each, name) for each in folders if each))


def _words(labels: Iterable[str]) -> tuple[str, ...]:
    """Commas and lines part them."""
    words = (word.strip() for label in labels for word in label.replace("\n", ",").split(","))
    return tuple(dict.fromkeys(word for word in words if word))
