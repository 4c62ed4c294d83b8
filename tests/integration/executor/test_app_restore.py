"""A whole app brought back, on a real Docker engine and real restic; or all is as it was."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.devices.local import LocalRunner
from holdfast.events.discovery import DataKind, FoundData
from holdfast.events.queries import HeartbeatReply
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import AppRestoreRequested, FanOut, RestoreSource
from holdfast.kernel.ids import new_id
from support.dockerd import Dockerd
from support.executor import Bench, Place, backup_of, local_place, until
from support.shop import PORT, SECRET, Shop, backed_up, restore_of, result_of

pytestmark = [pytest.mark.restic, pytest.mark.docker]


@pytest.fixture
def bench(engine_bench: Bench) -> Bench:
    """With the tests' own engine."""
    return engine_bench


@pytest.fixture
def device(engine_device: dict[str, Any]) -> dict[str, Any]:
    """The field of work that says where the app is."""
    return engine_device


@pytest.fixture
def shop(engine: Dockerd, tmp_path: Path) -> Shop:
    return Shop(engine, tmp_path)


async def test_an_app_is_back_as_it_was_and_what_was_there_lies_beside(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    before = shop.content()
    made = await backed_up(bench, nas, shop, device)
    (shop.volume / "state").write_text("spoilt")
    (shop.site / "new").write_text("later")
    shop.compose.unlink()
    shop.volume.chmod(0o700)

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert shop.content() == before
    assert (shop.volume.stat().st_uid, shop.volume.stat().st_mode & 0o777) == (1234, 0o750)
    assert shop.states() == {"running"}
    result = result_of(run)
    assert result.containers == ("db", "web")
    previous = {each.path: Path(each.previous) for each in result.places if each.previous}
    assert (previous[str(shop.volume)] / "state").read_text() == "spoilt"
    assert (previous[str(shop.site)] / "new").read_text() == "later"
    assert str(shop.compose) not in previous
    assert "stop the app" in [each.name for each in result.steps]
    # Told again by whoever takes it up: nothing is done twice.
    bench.claim = 2
    await bench.do(restore_of(nas, shop, made, run_id=run.run_id, **device))
    assert bench.said(RunCompleted)[-1].result == result
    assert (previous[str(shop.volume)] / "state").read_text() == "spoilt"


def shown(engine: Dockerd, name: str) -> Any:
    """What matters of a container, as the engine shows it."""
    (told,) = json.loads(engine.docker("inspect", name).stdout)
    mounts = sorted((each["Type"], each["Source"], each["Destination"]) for each in told["Mounts"])
    host = {each: told["HostConfig"][each] for each in ("RestartPolicy", "PortBindings")}
    return told["Config"], host, mounts


async def test_an_app_of_which_nothing_is_left_is_made_again_as_it_was(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, engine: Dockerd
) -> None:
    before, shapes = shop.content(), [shown(engine, each) for each in ("db", "web")]
    made = await backed_up(bench, nas, shop, device)
    engine.remove_all()
    engine.docker("volume", "rm", "shop_data")
    shutil.rmtree(shop.compose.parent)

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert shop.content() == before
    assert [shown(engine, each) for each in ("db", "web")] == shapes
    assert SECRET in engine.docker("exec", "db", "env").stdout
    assert shop.states() == {"running"}
    assert SECRET not in str(bench.bus.published)


async def test_containers_that_were_made_are_gone_again_when_the_app_is_not_well(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, engine: Dockerd
) -> None:
    (shop.volume / "state").write_text("sick")
    made = await backed_up(bench, nas, shop, device)
    engine.docker("rm", "-f", "web")

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.failure is not None
    assert run.failure.code == "app_not_healthy"
    assert engine.docker("ps", "-aq", "--filter", "name=web").stdout == ""
    assert engine.state("db") == "running"


async def test_an_image_that_is_not_there_and_a_port_that_is_taken_are_told_before(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, engine: Dockerd
) -> None:
    engine.import_version("lab:rare", "rare")
    engine.docker("rm", "-f", "web")
    engine.started("web", "-p", f"{PORT}:80", image="lab:rare")
    made = await backed_up(bench, nas, shop, device)
    engine.docker("rm", "-f", "web")
    engine.docker("rmi", "lab:rare")

    with socket.create_server(("0.0.0.0", PORT)):
        run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.failure is not None
    assert run.failure.code == "app_not_restorable"
    assert "The image lab:rare is not there" in run.failure.message
    assert f"Port {PORT}, which web needs, is taken." in run.failure.message
    assert engine.state("db") == "running"


async def test_containers_of_which_nothing_was_kept_are_named(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, engine: Dockerd
) -> None:
    before = shop.content()
    made = await backed_up(bench, nas, shop, device, definitions=False)
    engine.remove_all()
    engine.docker("volume", "rm", "shop_data")

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert shop.content() == before
    labels = engine.docker("volume", "inspect", "shop_data", "--format", "{{.Labels}}").stdout
    assert "com.docker.compose.project:shop" in labels
    assert (run.status, run.failure and run.failure.code) == (
        RunStatus.PARTIAL,
        "containers_missing",
    )


async def test_a_dry_run_tells_everything_and_changes_nothing(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    made = await backed_up(bench, nas, shop, device)
    (shop.site / "new").write_text("later")
    now = shop.content()

    run = await bench.outcome(restore_of(nas, shop, made, dry_run=True, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    result = result_of(run)
    assert result.dry_run
    assert {each.path for each in result.places} == set(shop.found.paths())
    assert shop.content() == now
    assert shop.states() == {"running"}
    assert not list(shop.site.parent.glob(".holdfast-before-*"))


async def test_all_that_is_in_the_way_is_told_at_once_and_nothing_is_touched(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    made = await backed_up(bench, nas, shop, device)
    shop.compose.unlink()
    shop.compose.mkdir()
    (shop.site / "page").unlink()
    shop.site.rmdir()
    shop.site.symlink_to(shop.volume)

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "app_not_restorable"
    assert f"{shop.compose} is a directory now" in run.failure.message
    assert f"{shop.site} is a symbolic link now" in run.failure.message
    assert shop.states() == {"running"}
    assert (shop.volume / "state").read_text() == "good"


async def test_a_failing_health_check_puts_the_previous_state_back(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, engine: Dockerd
) -> None:
    (shop.volume / "state").write_text("sick")
    made = await backed_up(bench, nas, shop, device)
    (shop.volume / "state").write_text("good")
    (shop.site / "new").write_text("later")
    now = shop.content()

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "app_not_healthy"
    assert "wait until db is well" in run.failure.message
    assert "The previous state is back." in run.failure.message
    assert shop.content() == now
    assert shop.volume.stat().st_uid == 1234
    assert shop.states() == {"running"}
    assert not list(shop.site.parent.glob(".holdfast-before-*"))


async def test_a_restore_that_is_cancelled_puts_the_previous_state_back(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    for number in range(30):
        (shop.site / f"big{number}").write_bytes(os.urandom(4_000_000))
    made = await backed_up(bench, nas, shop, device)
    for number in range(30):
        (shop.site / f"big{number}").unlink()
    now = shop.content()
    bench.claim_seconds = 0.5

    async with bench.doing(restore_of(nas, shop, made, **device)) as doing:
        await until(lambda: list(shop.site.glob("big*")), what="files are being brought back")
        bench.heartbeat = HeartbeatReply(held=True, cancel=True)
        await doing

    (run,) = [each for each in bench.said(RunCompleted) if each.operation == "app_restore"]
    assert run.status is RunStatus.CANCELLED
    assert shop.content() == now
    assert shop.states() == {"running"}


async def test_another_executor_puts_back_what_a_killed_one_left_and_brings_the_app_back(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    for number in range(30):
        (shop.site / f"big{number}").write_bytes(os.urandom(4_000_000))
    made = await backed_up(bench, nas, shop, device)
    kept = {each.name: each.read_bytes() for each in shop.site.iterdir()}
    for number in range(30):
        (shop.site / f"big{number}").unlink()
    (shop.site / "new").write_text("later")
    work = restore_of(nas, shop, made, **device)
    async with bench.doing(work) as doing:
        await until(lambda: list(shop.site.glob("big*")), what="files are being brought back")
        doing.cancel()  # it does nothing more, as if its process were gone

    bench.claim = 2
    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert {each.name: each.read_bytes() for each in shop.site.iterdir()} == kept
    previous = {each.path: Path(each.previous) for each in result_of(run).places}
    assert (previous[str(shop.site)] / "new").read_text() == "later"
    assert not list(previous[str(shop.site)].glob("big*"))
    assert shop.states() == {"running"}


async def test_the_next_restore_puts_back_first_what_nobody_took_up(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    for number in range(30):
        (shop.site / f"big{number}").write_bytes(os.urandom(4_000_000))
    made = await backed_up(bench, nas, shop, device)
    for number in range(30):
        (shop.site / f"big{number}").unlink()
    (shop.site / "new").write_text("later")
    async with bench.doing(restore_of(nas, shop, made, **device)) as doing:
        await until(lambda: list(shop.site.glob("big*")), what="files are being brought back")
        doing.cancel()

    run = await bench.outcome(restore_of(nas, shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert any("put back what restore" in each.name for each in result_of(run).steps)
    previous = {each.path: Path(each.previous) for each in result_of(run).places}
    assert (previous[str(shop.site)] / "new").read_text() == "later"


async def test_an_engine_that_does_not_answer_is_not_taken_for_an_empty_one(
    bench: Bench, nas: Place, shop: Shop, tmp_path: Path
) -> None:
    made = await backed_up(bench, nas, shop, {})
    (shop.site / "new").write_text("later")
    off = tmp_path / "off"
    off.mkdir()
    (off / "docker").write_text(
        "#!/bin/sh\necho 'Cannot connect to the Docker daemon.' >&2\nexit 1\n"
    )
    (off / "docker").chmod(0o755)
    environ = {**os.environ, "PATH": f"{off}:{os.environ['PATH']}"}
    blind = Bench(tmp_path / "cache", runner=LocalRunner(environ, notes=bench.deps.notes))
    blind.knows(nas)

    run = await blind.outcome(restore_of(nas, shop, made))

    assert run.failure is not None
    assert run.failure.code == "engine_said_no"
    assert "Cannot connect" in run.failure.detail
    assert (shop.site / "new").exists()
    assert shop.states() == {"running"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_without_room_it_is_refused(
    bench: Bench, nas: Place, shop: Shop, small_disk: Path
) -> None:
    place = small_disk / "site"
    place.mkdir()
    (place / "file").write_bytes(os.urandom(1000))
    shop.found = replace(
        shop.found,
        data=(FoundData(kind=DataKind.BIND, path=str(place), services=("web",)),),
    )
    made = await backed_up(bench, nas, shop, {})

    run = await bench.outcome(restore_of(nas, shop, made, app_id=new_id()))

    assert run.failure is not None
    assert run.failure.code == "app_not_restorable"
    assert "MiB free" in run.failure.message
    assert shop.states() == {"running"}


# ---- several destinations


async def in_two_places(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any], tmp_path: Path
) -> AppRestoreRequested:
    """The restore of an app that is backed up to both, the first of which is tried first."""
    (tmp_path / "second").mkdir()
    second = await bench.initialise(local_place(tmp_path / "second", "second"), first=nas)
    work = backup_of(
        [Path(each) for each in shop.found.paths()],
        nas,
        second,
        environment_of=tuple(each.container for each in shop.found.services),
        fan_out=FanOut.COPY,
        **device,
    )
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    ids = {each.destination_id: each.restic_snapshot_id for each in bench.said(SnapshotCompleted)}
    other = RestoreSource(address=second.address, restic_snapshot_id=ids[second.id])
    return restore_of(nas, shop, (work, ids[nas.id]), others=(other,), **device)


def damage(place: Path) -> None:
    """Nothing of its files' content can be read; what is in its folders can."""
    packs = sorted(place.rglob("data/*/*"), key=lambda path: path.stat().st_size)
    for pack in packs:
        content = bytearray(pack.read_bytes())
        content[: len(content) // 4] = bytes(len(content) // 4)
        pack.chmod(0o600)
        pack.write_bytes(content)


async def test_what_one_destination_cannot_give_comes_from_the_next(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, tmp_path: Path
) -> None:
    before = shop.content()
    work = await in_two_places(bench, nas, shop, device, tmp_path)
    (shop.volume / "state").write_text("spoilt")
    (shop.site / "new").write_text("later")
    damage(Path(nas.address.local_path))

    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert shop.content() == before
    assert shop.states() == {"running"}
    result = result_of(run)
    assert [each.destination_id for each in result.failed_sources] == [nas.id]
    assert result.destination_id == work.others[0].address.destination_id
    previous = {each.path: Path(each.previous) for each in result.places if each.previous}
    assert (previous[str(shop.volume)] / "state").read_text() == "spoilt"


async def test_when_no_destination_can_all_is_as_it_was(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop, tmp_path: Path
) -> None:
    work = await in_two_places(bench, nas, shop, device, tmp_path)
    (shop.volume / "state").write_text("good, and newer")
    now = shop.content()
    damage(Path(nas.address.local_path))
    damage(tmp_path / "second")

    run = await bench.outcome(work)

    assert run.status is RunStatus.FAILED
    assert len(result_of(run).failed_sources) == 2
    assert shop.content() == now
    assert shop.states() == {"running"}


# ---- networks


SUBNET, ADDRESS = "10.213.7.0/24", "10.213.7.77"


@pytest.fixture
def networked(engine: Dockerd, shop: Shop) -> Iterator[Shop]:
    """One of the containers has a fixed address in a network of the app's own."""
    engine.docker("rm", "-f", "web")
    engine.docker(
        *("network", "create", "--internal", "--subnet", SUBNET, "--label", "kind=shop"),
        *("--opt", "com.docker.network.bridge.name=hf-shop", "shop_net"),
    )
    engine.docker(
        *("run", "-d", "--name", "web", "--network", "shop_net", "--ip", ADDRESS),
        *("--network-alias", "www", "-v", f"{shop.site}:/site"),
        *("lab:1", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"),
    )
    yield shop
    engine.remove_all()
    engine.docker("network", "rm", "shop_net", "other_net", check=False)


def network_of(engine: Dockerd) -> Any:
    (told,) = json.loads(engine.docker("network", "inspect", "shop_net").stdout)
    shown = {name: told[name] for name in ("Driver", "Internal", "IPAM", "Options", "Labels")}
    (web,) = json.loads(engine.docker("inspect", "web").stdout)
    endpoint = web["NetworkSettings"]["Networks"]["shop_net"]
    aliases = [each for each in endpoint["Aliases"] if each != web["Id"][:12]]
    return shown, endpoint["IPAddress"], aliases


async def test_networks_come_back_as_they_were_with_fixed_addresses(
    bench: Bench, device: dict[str, Any], nas: Place, networked: Shop, engine: Dockerd
) -> None:
    before = network_of(engine)
    assert before[1] == ADDRESS
    made = await backed_up(bench, nas, networked, device)
    engine.docker("rm", "-f", "web")
    engine.docker("network", "rm", "shop_net")

    run = await bench.outcome(restore_of(nas, networked, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    shown, address, aliases = network_of(engine)
    assert (shown, address) == before[:2]
    assert "www" in aliases


async def test_a_subnet_that_is_taken_is_told_before_anything_is_changed(
    bench: Bench, nas: Place, networked: Shop, engine: Dockerd
) -> None:
    made = await backed_up(bench, nas, networked, {})
    engine.docker("rm", "-f", "web")
    engine.docker("network", "rm", "shop_net")
    engine.docker("network", "create", "--internal", "--subnet", "10.213.0.0/16", "other_net")

    run = await bench.outcome(restore_of(nas, networked, made))

    assert run.failure is not None
    assert run.failure.code == "app_not_restorable"
    assert f"The subnet {SUBNET} of network shop_net is taken by network other_net." in (
        run.failure.message
    )
    assert engine.state("db") == "running"
