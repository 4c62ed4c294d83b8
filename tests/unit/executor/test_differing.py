"""Whether a container is still what it was at the backup, and which image it is made of."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from holdfast.executor.apps.definitions import Definition, Endpoint, MountPoint, Networks, by_name
from holdfast.executor.apps.differing import changed, changes
from holdfast.executor.apps.images import name_for
from holdfast.executor.apps.journal import replaced_by


def container(name: str = "web", *, id: str = "1", image: str = "sha256:aa", **fields: Any) -> Any:
    return Definition(
        id=id,
        name=f"/{name}",
        image_id=image,
        config={"Image": "app:1", "Env": ["A=1", "B=2"], "Labels": {"kind": "shop"}}
        | fields.get("config", {}),
        host_config={"NetworkMode": "house", "Memory": 0} | fields.get("host", {}),
        network_settings=Networks(networks=fields.get("networks", {"house": Endpoint()})),
        mounts=fields.get("mounts", ()),
    )


def mount(**fields: Any) -> MountPoint:
    return MountPoint(**{"type": "volume", "name": "data", "destination": "/data", **fields})


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({}, ()),
        ({"image": "aa"}, ()),
        ({"image": "sha256:bb"}, ("image",)),
        (
            {"image": "sha256:bb", "config": {"Image": "app:2"}},
            ("image app:2, and then app:1",),
        ),
        # The same image by another name.
        ({"config": {"Image": "app:2"}}, ()),
        ({"config": {"Env": ["B=2", "A=1"]}}, ()),
        ({"config": {"Env": ["B=2", "A=secret"]}}, ("environment",)),
        ({"config": {"Env": ["A=1", "B=2", "HOSTNAME=0123456789ab"]}}, ()),
        ({"config": {"Env": ["A=1", "B=2", "HOSTNAME=house"]}}, ("environment",)),
        ({"config": {"Cmd": ["sh"]}}, ("command",)),
        ({"config": {"Cmd": [], "Entrypoint": None, "User": ""}}, ()),
        ({"config": {"Labels": {"kind": "shop", "com.docker.compose.version": "2"}}}, ()),
        ({"config": {"Labels": {"kind": "other"}}}, ("labels",)),
        ({"host": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}}, ("ports",)),
        ({"host": {"PortBindings": {"80/tcp": None}}}, ()),
        ({"mounts": (mount(),)}, ("mounts",)),
        ({"networks": {"other": Endpoint()}}, ("networks",)),
        (
            {"networks": {"house": Endpoint(i_p_a_m_config={"IPv4Address": "10.0.0.9"})}},
            ("networks",),
        ),
        ({"networks": {"house": Endpoint(aliases=("web", "abcdef"))}}, ()),
        ({"host": {"NetworkMode": "host"}, "networks": {"host": Endpoint()}}, ("networks",)),
        ({"host": {"Memory": 1024}}, ("settings",)),
        ({"host": {"Memory": None}}, ()),
        # Only a newer engine tells of it.
        ({"host": {"Novelty": True}}, ()),
    ],
)
def test_what_differs_is_told_in_words_without_values(
    now: dict[str, Any], words: tuple[str, ...]
) -> None:
    found = changes(container(), container(id="2", **now))
    assert found == words
    assert "secret" not in str(found)


def test_dockers_own_network_has_two_names() -> None:
    first, second = ({"host": {"NetworkMode": each}} for each in ("default", "bridge"))
    assert changes(container(**first), container(id="2", **second)) == ()


def test_the_same_container_is_as_it_was_whatever_is_told_of_it() -> None:
    assert changes(container(), container(image="sha256:bb")) == ()


def test_who_is_in_the_network_of_another_is_told_by_its_name_and_goes_with_it() -> None:
    def house(first: str, **fields: Any) -> dict[str, Definition]:
        return by_name(
            (
                container("vpn", id=first, **fields),
                container("client", id="c", host={"NetworkMode": f"container:{first}"}),
                container("second", id="s", host={"NetworkMode": "container:c"}),
                container("db", id="d"),
            )
        )

    kept, now = house("1"), house("2", config={"Env": []})
    assert kept["client"].shares_with == "vpn"
    assert list(changed(kept, now, made=())) == ["vpn", "client", "second"]
    assert changed(kept, house("2"), made=()) == {}
    # It is gone: who shared with it has an id that means nothing.
    del now["vpn"]
    now["client"] = container("client", id="c", host={"NetworkMode": "container:1"})
    assert list(changed(kept, now, made=("vpn",))) == ["client", "second"]


@pytest.mark.parametrize(
    ("asked", "named", "expected"),
    [
        ("app:1", "sha256:0123456789abcdef", "app:1"),
        ("app:1", "", "app:1"),
        ("app:1", "sha256:ffff", "app:holdfast-0123456789ab"),
        ("app", "sha256:ffff", "app:holdfast-0123456789ab"),
        (
            "registry.lan:5000/a/app:1",
            "sha256:ffff",
            "registry.lan:5000/a/app:holdfast-0123456789ab",
        ),
        ("registry.lan:5000/app", "sha256:ffff", "registry.lan:5000/app:holdfast-0123456789ab"),
        # None of these can be given to an image.
        ("app@sha256:ee", "sha256:ffff", "sha256:0123456789abcdef"),
        ("sha256:eeeeeeeeeeee", "", "sha256:0123456789abcdef"),
        ("eeeeeeeeeeee", "", "sha256:0123456789abcdef"),
    ],
)
def test_a_name_that_means_another_image_by_now_is_left_alone(
    asked: str, named: str, expected: str
) -> None:
    assert name_for(asked, "sha256:0123456789abcdef", named) == expected


@pytest.mark.parametrize(
    ("policy", "kind", "restart", "starts"),
    [
        ({"Name": "always", "MaximumRetryCount": 0}, "docker", "always", True),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, "docker", "on-failure:3", True),
        ({"Name": ""}, "docker", "no", False),
        # It cannot be changed there.
        ({"Name": "always"}, "podman", "", False),
    ],
)
def test_what_would_start_by_itself_is_told_not_to(
    policy: dict[str, Any], kind: str, restart: str, starts: bool
) -> None:
    one = replaced_by(container(host={"RestartPolicy": policy}), UUID(int=255), kind)
    assert (one.restart, one.starts) == (restart, starts)
    assert (one.name, one.aside) == ("web", "web.holdfast-before-0000000000ff")
    assert one.image == "holdfast-before-0000000000ff:web"


def test_the_ports_that_are_open_are_those_that_the_engine_has_opened() -> None:
    wanted = container(host={"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}})
    bound = Networks(ports={"80/tcp": ({"HostIp": "0.0.0.0", "HostPort": "8080"},), "9/udp": None})
    assert (wanted.ports, wanted.open_ports) == ({8080}, frozenset())
    assert msgspec.structs.replace(wanted, network_settings=bound).open_ports == {8080}
