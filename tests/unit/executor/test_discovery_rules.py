"""From what an engine's API says to apps."""

import msgspec
import pytest

from holdfast.events.consistency import HookKind, Quiet, When
from holdfast.events.discovery import LeftOut
from holdfast.executor.discovery import Container, Look, Volume, apps_of


def container(
    name: str,
    *mounts: dict[str, object],
    project: str = "",
    labels: dict[str, str] | None = None,
    depends_on: str = "",
    env: tuple[str, ...] = (),
    status: str = "running",
) -> Container:
    told = {
        **(
            {
                "com.docker.compose.project": project,
                "com.docker.compose.service": name,
                "com.docker.compose.depends_on": depends_on,
                "com.docker.compose.project.working_dir": "/srv/shop",
                "com.docker.compose.project.config_files": "/srv/shop/compose.yml,extra.yml",
            }
            if project
            else {}
        ),
        **(labels or {}),
    }
    return msgspec.convert(
        {
            "Id": "x",
            "Name": f"/{name}-1" if project else f"/{name}",
            "Config": {"Image": f"{name}:1", "Labels": told or None, "Env": list(env) or None},
            "State": {"Status": status},
            "Mounts": list(mounts),
        },
        Container,
    )


def bind(source: str) -> dict[str, object]:
    return {"Type": "bind", "Source": source, "Destination": "/x", "RW": False}


def volume(name: str) -> dict[str, object]:
    return {"Type": "volume", "Name": name, "Source": f"/var/lib/docker/volumes/{name}/_data"}


def look(*containers: Container, volumes: tuple[Volume, ...] = ()) -> Look:
    return Look(
        engine="docker",
        containers=containers,
        volumes=volumes,
        root="/var/lib/docker",
        own=("/mnt/nas/homelab-backups",),
    )


def left_out(*mounts: dict[str, object], volumes: tuple[Volume, ...] = ()) -> list[LeftOut | None]:
    (app,) = apps_of(look(container("web", *mounts), volumes=volumes))
    return [each.left_out for each in app.data]


def test_a_project_is_one_app_and_each_container_of_none_is_another() -> None:
    shop, lone = apps_of(
        look(
            container(
                "web", bind("/srv/media"), project="shop", depends_on="db:service_healthy:true"
            ),
            container("lone", volume("lone-data"), env=("PASSWORD=hunter2", "A=b=c")),
            container("db", volume("shop_db"), project="shop"),
            container("job", labels={"com.docker.compose.oneoff": "True"}, project="shop"),
        )
    )[::-1]

    assert (shop.key, shop.name) == ("docker/project/shop", "shop")
    assert [each.name for each in shop.services] == ["db", "web"], "who is depended on comes first"
    assert shop.services[1].depends_on == ("db",)
    assert shop.data_paths() == ("/var/lib/docker/volumes/shop_db/_data", "/srv/media")
    assert shop.data[1].services == ("web",)
    assert shop.compose_files == ("/srv/shop/compose.yml", "/srv/shop/extra.yml")
    assert shop.env_files == ("/srv/shop/.env",)
    assert shop.services[0].image == "db:1"
    assert (lone.key, lone.compose_files, lone.env_files) == ("docker/container/lone", (), ())
    assert lone.services[0].variables == ("A", "PASSWORD")
    assert "hunter2" not in repr(lone)


def test_a_volume_of_a_project_that_no_container_uses_is_its_own_too() -> None:
    label = {"com.docker.compose.project": "shop"}
    unused = Volume(name="shop_old", mountpoint="/v/shop_old/_data", labels=label)
    (shop,) = apps_of(look(container("web", project="shop"), volumes=(unused,)))

    assert [(each.name, each.path, each.services) for each in shop.data] == [
        ("shop_old", "/v/shop_old/_data", ())
    ]


def test_what_several_containers_see_is_there_once() -> None:
    (shop,) = apps_of(
        look(
            container("a", volume("files"), project="shop"),
            container("b", volume("files"), project="shop"),
        )
    )
    assert [each.services for each in shop.data] == [("a", "b")]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("/srv/data", None),
        ("/srv/data/", None),
        ("/etc/localtime", None),
        ("/system", None),
        ("/", LeftOut.WHOLE_MACHINE),
        ("/proc", LeftOut.KERNEL),
        ("/sys/fs/cgroup", LeftOut.KERNEL),
        ("/run/udev", LeftOut.KERNEL),
        ("/var/run/docker.sock", LeftOut.SOCKET),
        ("/srv/app/control.sock", LeftOut.SOCKET),
        ("/var/lib/docker", LeftOut.ENGINE),
        ("/var/lib/docker/containers", LeftOut.ENGINE),
        ("/var/lib/docker-data", None),
        ("/mnt/nas/homelab-backups", LeftOut.HOLDFAST),
        ("/mnt/nas/homelab-backups/data", LeftOut.HOLDFAST),
        ("/mnt/nas", None),
    ],
)
def test_directories_that_are_no_data_are_left_out(source: str, why: LeftOut | None) -> None:
    assert left_out(bind(source)) == [why]


def test_a_repository_below_the_data_is_excluded() -> None:
    (app,) = apps_of(look(container("web", bind("/mnt/nas"))))
    assert app.exclude == ("/mnt/nas/homelab-backups",)


def test_volumes_without_files_here_are_left_out_and_bound_ones_are_where_they_are() -> None:
    def told(**options: str) -> Volume:
        return Volume(name="v", mountpoint="/m/v/_data", options=options)

    assert left_out(volume("v")) == [None]
    assert left_out(volume("v"), volumes=(Volume(name="v", driver="rclone", mountpoint="/m"),)) == [
        LeftOut.NO_FILES
    ]
    assert left_out(volume("v"), volumes=(told(type="tmpfs", device="tmpfs"),)) == [
        LeftOut.NO_FILES
    ]
    nfs = told(type="nfs", device=":/export", o="addr=10.0.0.2")
    assert left_out(volume("v"), volumes=(nfs,)) == [None]
    (app,) = apps_of(look(container("web", volume("v"), status="exited"), volumes=(nfs,)))
    assert app.data[0].left_out is LeftOut.NOT_MOUNTED
    bound = told(type="none", o="bind", device="/srv/real")
    (app,) = apps_of(look(container("web", volume("v"), status="exited"), volumes=(bound,)))
    assert (app.data[0].path, app.data[0].left_out) == ("/srv/real", None)


def test_labels_switch_off_a_container_or_the_app_and_name_policy_and_patterns() -> None:
    off = {"holdfast.enable": "False"}
    wishes = {"holdfast.policy": "hourly", "holdfast.exclude": "*.tmp, cache\nlogs"}
    (shop,) = apps_of(
        look(
            container("cache", volume("cache"), volume("both"), project="shop", labels=off),
            container("web", volume("web"), volume("both"), project="shop", labels=wishes),
        )
    )
    assert {each.name: each.left_out for each in shop.data} == {
        "cache": LeftOut.SWITCHED_OFF,
        "both": None,
        "web": None,
    }
    assert not shop.is_switched_off
    assert (shop.policy, shop.exclude) == ("hourly", ("*.tmp", "cache", "logs"))

    (quiet,) = apps_of(look(container("quiet", volume("q"), labels=off)))
    assert quiet.is_switched_off
    assert quiet.paths() == ()


def test_services_that_wait_for_each_other_are_told_by_name() -> None:
    (shop,) = apps_of(
        look(
            container("b", project="shop", depends_on="a:service_started:false"),
            container("a", project="shop", depends_on="b:service_started:false"),
        )
    )
    assert [each.name for each in shop.services] == ["a", "b"]


def test_labels_say_what_is_done_around_a_backup() -> None:
    pause = {"holdfast.stop": "pause", "holdfast.hook.before": "sync"}
    stop = {"holdfast.stop": "true", "holdfast.hook.after": "echo done"}
    (shop,) = apps_of(
        look(
            container("a", project="shop", labels=pause),
            container("b", project="shop", labels=stop),
        )
    )
    (lone,) = apps_of(look(container("lone", labels=pause)))
    (other,) = apps_of(look(container("other", labels={"holdfast.stop": "perhaps"})))

    assert shop.quiet is Quiet.STOP
    assert [(each.when, each.container, each.command) for each in shop.hooks] == [
        (When.BEFORE, "a-1", "sync"),
        (When.AFTER, "b-1", "echo done"),
    ]
    assert {each.kind for each in shop.hooks} == {HookKind.CONTAINER}
    assert (lone.quiet, other.quiet, other.hooks) == (Quiet.PAUSE, Quiet.RUN, ())
