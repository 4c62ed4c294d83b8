"""What a drill asks a container engine for: nothing that leads out of the drill."""

from typing import Any
from uuid import UUID

import pytest

from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService
from holdfast.events.drills import DrillProbe, ProbeKind
from holdfast.executor.apps.definitions import Definition, Endpoint, MountPoint, Networks
from holdfast.executor.discovery import Config, Container, Look, Volume, apps_of, loose_volumes
from holdfast.executor.drills.isolation import Plan, labels_of, name_of, network_of, plan, source_of
from holdfast.executor.drills.probes import is_right

DRILL = UUID("01890000-0000-7000-8000-0000deadbeef")
PREFIX = "holdfast-drill-deadbeef"
ROOT = "/scratch"

FOUND = FoundApp(
    key="docker/project/shop",
    engine="docker",
    name="shop",
    services=(FoundService(name="web", container="shop-web-1", image="web:1", status="running"),),
    data=(
        FoundData(
            kind=DataKind.VOLUME, name="shop_data", path="/v/shop_data/_data", services=("web",)
        ),
        FoundData(kind=DataKind.BIND, path="/srv/shop", services=("web",)),
    ),
)
VOLUME = MountPoint(
    type="volume", name="shop_data", source="/v/shop_data/_data", destination="/data"
)
BIND = MountPoint(
    type="bind", source="/srv/shop/conf", destination="/conf", writable=False
)  # fmt: skip
SOCKET = MountPoint(
    type="bind", source="/var/run/docker.sock", destination="/var/run/docker.sock"
)  # fmt: skip
CACHE = MountPoint(
    type="volume", name="shop_cache", source="/v/shop_cache/_data", destination="/cache"
)
THERE = ("/scratch/v/shop_data/_data", "/scratch/srv/shop/conf")


def planned(
    *mounts: MountPoint, there: tuple[str, ...] = THERE, config: Any = None, **host: Any
) -> Plan:
    definition = Definition(
        name="/shop-web-1",
        config={"Image": "web:1", "Env": ["PASSWORD=x"], **(config or {})},
        host_config=host,
        network_settings=Networks(networks={"shop_net": Endpoint(aliases=("www",))}),
        mounts=mounts,
    )
    return plan(DRILL, FOUND, definition, ROOT, there, service="web")


def test_it_has_its_own_name_labels_and_network_and_is_found_by_its_old_names() -> None:
    made = planned(
        config={
            "Labels": {"com.docker.compose.project": "shop", "traefik.enable": "true"},
            "MacAddress": "02:42:ac:11:00:02",
        }
    )

    assert made.name == name_of(DRILL, "shop-web-1") == f"{PREFIX}-shop-web-1"
    assert made.body["Labels"] == {"holdfast.enable": "false", "holdfast.drill": str(DRILL)}
    assert made.body["Env"] == ["PASSWORD=x"]
    assert "MacAddress" not in made.body
    assert made.body["NetworkingConfig"] == {
        "EndpointsConfig": {PREFIX: {"Aliases": ["www", "web", "shop-web-1"]}}
    }
    plain = {"Name": PREFIX, "Internal": True, "Labels": labels_of(DRILL)}
    closed = {"com.docker.network.bridge.inhibit_ipv4": "true"}
    assert network_of(DRILL, "podman") == plain
    assert network_of(DRILL, "docker") == {**plain, "Options": closed}


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("Privileged", True, "privileged"),
        ("Devices", [{"PathOnHost": "/dev/sda"}], "devices"),
        ("DeviceRequests", [{"Driver": "nvidia"}], "GPU"),
        ("CapAdd", ["SYS_ADMIN"], "capabilities"),
        ("PidMode", "host", "processes"),
        ("IpcMode", "host", "shared memory"),
        ("IpcMode", "container:abc", "shared memory"),
        ("UsernsMode", "host", "users"),
        ("NetworkMode", "host", "network"),
        ("NetworkMode", "container:abc", "network"),
        ("SecurityOpt", ["seccomp=unconfined"], "security"),
        ("Sysctls", {"net.ipv4.ip_forward": "1"}, "kernel settings"),
        ("ExtraHosts", ["nas:192.168.1.2"], "host names"),
    ],
)
def test_what_leads_out_is_left_out_and_told(setting: str, value: Any, told: str) -> None:
    made = planned(**{setting: value})

    assert made.body["HostConfig"].get(setting) in (None, PREFIX)
    assert any(told in each for each in made.left_out)


@pytest.mark.parametrize(
    "setting",
    ["PortBindings", "PublishAllPorts", "Links", "VolumesFrom", "Binds", "UTSMode", "CgroupParent",
     "Runtime", "Dns", "LogConfig", "OfTheFuture"],
)  # fmt: skip
def test_what_is_not_known_to_be_harmless_is_not_asked_for(setting: str) -> None:
    assert setting not in planned(**{setting: ["x"]}).body["HostConfig"]


def test_what_is_harmless_stays() -> None:
    host = planned(
        Memory=1000,
        ReadonlyRootfs=True,
        SecurityOpt=["no-new-privileges:true", "apparmor=unconfined"],
        RestartPolicy={"Name": "always"},
    ).body["HostConfig"]

    assert host["Memory"] == 1000
    assert host["ReadonlyRootfs"] is True
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"] == {"Name": "no"}


def test_what_was_restored_is_bound_from_the_scratch_directory_and_nothing_else_is() -> None:
    made = planned(VOLUME, BIND, SOCKET, CACHE, config={"Volumes": {"/data": {}, "/more": {}}})

    assert made.body["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": THERE[0], "Target": "/data", "ReadOnly": False},
        {"Type": "bind", "Source": THERE[1], "Target": "/conf", "ReadOnly": True},
        {"Type": "volume", "Source": f"{PREFIX}-shop-web-1-0", "Target": "/cache"},
        {"Type": "volume", "Source": f"{PREFIX}-shop-web-1-1", "Target": "/more"},
    ]
    assert [each.name for each in made.volumes] == [
        f"{PREFIX}-shop-web-1-0",
        f"{PREFIX}-shop-web-1-1",
    ]
    assert any("docker.sock" in each for each in made.left_out)
    assert any("/cache" in each for each in made.left_out)


def test_what_leads_outside_of_the_scratch_directory_is_not_bound() -> None:
    made = planned(BIND, there=())

    assert made.body["HostConfig"]["Mounts"] == []
    assert any("/srv/shop/conf" in each for each in made.left_out)


def test_a_path_beside_one_that_was_backed_up_is_not_in_the_snapshot() -> None:
    beside = MountPoint(type="bind", source="/srv/shop2", destination="/x")
    above = MountPoint(type="bind", source="/srv/shop/../other", destination="/x")

    assert source_of(FOUND, BIND) == "/srv/shop/conf"
    assert source_of(FOUND, beside) == ""
    assert source_of(FOUND, above) == ""


def test_discovery_sees_nothing_of_a_drill() -> None:
    drill = Container(
        name=f"/{PREFIX}-shop-web-1",
        config=Config(image="web:1", labels=labels_of(DRILL)),
    )
    volume = Volume(name=f"{PREFIX}-shop-web-1-0", mountpoint="/v/x", labels=labels_of(DRILL))
    look = Look(engine="docker", containers=(drill,), volumes=(volume,))

    assert apps_of(look) == ()
    assert loose_volumes(look, ()) == ()


@pytest.mark.parametrize(
    ("wanted", "got", "right"),
    [(0, 200, True), (0, 302, True), (0, 404, False), (0, 101, False), (404, 404, True)],
)
def test_which_status_is_right(wanted: int, got: int, right: bool) -> None:
    probe = DrillProbe(kind=ProbeKind.HTTP, container="web", status=wanted)

    assert is_right(probe, got) is right
