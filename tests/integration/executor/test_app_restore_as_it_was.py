"""An app that was updated since its backup: its containers come back as they were, of the very
image that they were of, and those of now are kept beside, or are back when it goes wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from holdfast.events.discarding import DiscardRequested
from holdfast.events.discovery import DeviceDiscovered
from holdfast.events.restoring import DiscardResult
from holdfast.events.run import RunStatus
from holdfast.events.work import AppRestoreRequested, DiscoverRequested
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from support.dockerd import Dockerd
from support.executor import Bench, Place, until
from support.registry import Registry, missing_registry
from support.shop import HEALTH, SECRET, Shop, backed_up, restore_of, result_of

pytestmark = [pytest.mark.restic, pytest.mark.docker]

OLD, NEW = "first", "second"


class Held:
    """The engine's command, which hangs where it is told to: the executor dies there."""

    def __init__(self, folder: Path, docker: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "docker").write_text(
            f"""#!/bin/sh
            [ "$1" != "$(cat {folder}/fails 2>/dev/null)" ] || exit 1
            hang() {{ touch {folder}/reached; exec sleep 600; }}
            [ "$1" != "$(cat {folder}/before 2>/dev/null)" ] || hang
            {docker} "$@" || exit
            [ "$1" != "$(cat {folder}/after 2>/dev/null)" ] || hang
            """
        )
        (folder / "docker").chmod(0o755)

    async def dies(self, bench: Bench, work: AppRestoreRequested, when: str, word: str) -> None:
        """*when* is ``before`` or ``after`` the engine has done *word*."""
        (self.folder / when).write_text(word)
        async with bench.doing(work) as doing:
            await until(lambda: doing.done() or self.is_reached, what=f"{when} '{word}'")
            assert self.is_reached, bench.outcomes
            doing.cancel()
        (self.folder / when).unlink()

    @property
    def is_reached(self) -> bool:
        return (self.folder / "reached").exists()


@pytest.fixture
def held(tmp_path: Path, docker: Dockerd, engine_environ: dict[str, str]) -> Held:
    held = Held(tmp_path / "held", docker.bin / "docker")
    engine_environ["PATH"] = f"{held.folder}:{engine_environ['PATH']}"
    return held


@pytest.fixture
def bench(held: Held, engine_bench: Bench) -> Bench:
    """With the tests' own engine."""
    return engine_bench


@pytest.fixture
def device(engine_device: dict[str, Any]) -> dict[str, Any]:
    """The field of work that says where the app is."""
    return engine_device


class Versions:
    """The shop, whose ``web`` is of an image whose name will mean another one."""

    def __init__(self, engine: Dockerd, root: Path, name: str = "app:stable") -> None:
        self.engine, self.name = engine, name
        self.shop = Shop(engine, root)
        self.old = engine.import_version(name, OLD)
        engine.docker("rm", "-f", "web")
        self.run("web", "-e", f"SECRET={SECRET}", "--restart", "unless-stopped")

    def run(self, name: str, *options: str) -> str:
        """The container, of what the image's name means now."""
        return self.engine.started(
            name,
            *("-v", "shop_data:/data", "-v", f"{self.shop.site}:/site"),
            *("--health-cmd", "! grep -q sick /data/state", *HEALTH, *options),
            image=self.name,
        )

    def update(self) -> str:
        """Another version, with other settings; its container's id."""
        self.engine.import_version(self.name, NEW)
        self.engine.docker("rm", "-f", "web")
        (self.shop.volume / "state").write_text("migrated")
        id = self.run("web", "-e", "SECRET=changed", "--restart", "always")
        self.engine.docker("exec", "web", "sh", "-c", "printf 'by the app' >/written")
        return id

    def version(self, container: str = "web") -> str:
        return self.engine.docker("exec", container, "cat", "/version").stdout.strip()

    def shown(self, container: str) -> Any:
        (told,) = json.loads(self.engine.docker("inspect", container).stdout)
        return told

    def names(self) -> set[str]:
        return set(self.engine.docker("ps", "-a", "--format", "{{.Names}}").stdout.split())


@pytest.fixture
def app(engine: Dockerd, tmp_path: Path) -> Iterator[Versions]:
    yield Versions(engine, tmp_path)
    engine.remove_all()
    images = engine.docker("images", "--quiet", "app").stdout.split()
    engine.docker("rmi", "-f", *set(images), check=False)
    kept = engine.docker("images", "--quiet", "--filter", "reference=holdfast-before-*").stdout
    engine.docker("rmi", "-f", *set(kept.split()), check=False)


async def test_an_app_that_was_updated_is_back_with_its_version_and_its_settings(
    bench: Bench, device: dict[str, Any], nas: Place, app: Versions
) -> None:
    made = await backed_up(bench, nas, app.shop, device)
    was = app.shown("web")
    now = app.update()

    run = await bench.outcome(restore_of(nas, app.shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    result = result_of(run)
    assert app.version() == OLD
    back = app.shown("web")
    assert back["Config"]["Env"] == was["Config"]["Env"]
    assert back["HostConfig"]["RestartPolicy"] == was["HostConfig"]["RestartPolicy"]
    assert (app.shop.volume / "state").read_text() == "good"
    # What the name means by now is left to whoever moved it.
    assert back["Config"]["Image"].startswith("app:holdfast-")
    assert app.engine.docker("run", "--rm", "app:stable", "cat", "/version").stdout == NEW
    # The one of now is no container any more, which compose would start beside this one.
    (kept,) = result.previous_images
    told = app.engine.docker("run", "--rm", kept, "cat", "/version", "/written").stdout
    assert told == f"{NEW}by the app"
    assert app.engine.docker("inspect", now, check=False).returncode != 0
    (warning,) = result.warnings
    assert "web is not as it was at the backup (image, environment, settings)" in warning
    assert SECRET not in str(bench.bus.published)
    # The other one was as it was, and is the same.
    assert app.names() == {"db", "web"}
    # A dry run of the same finds nothing to change, and a backup is of what runs.
    again = await bench.outcome(restore_of(nas, app.shop, made, dry_run=True, **device))
    assert result_of(again).warnings == ()


def discard_of(restore_run_id: UUID, device: dict[str, Any]) -> DiscardRequested:
    return DiscardRequested(
        event_id=new_id(),
        occurred_at=utc_now(),
        run_id=new_id(),
        site="main",
        app_id=UUID(int=7),
        restore_run_id=restore_run_id,
        **device,
    )


async def found_apps(bench: Bench) -> set[str]:
    """What a discovery finds."""
    looking = DiscoverRequested(
        event_id=new_id(), occurred_at=utc_now(), run_id=new_id(), site="main", device_id=new_id()
    )
    await bench.outcome(looking)
    return {each.name for each in bench.said(DeviceDiscovered)[-1].apps}


async def test_what_was_set_aside_is_no_app_and_goes_when_it_is_asked_for(
    bench: Bench, device: dict[str, Any], nas: Place, app: Versions
) -> None:
    made = await backed_up(bench, nas, app.shop, device)
    app.update()
    restore = await bench.outcome(restore_of(nas, app.shop, made, **device))
    (kept,) = result_of(restore).previous_images

    assert await found_apps(bench) == {"db", "web"}
    discard = discard_of(restore.run_id, device)
    run = await bench.outcome(discard)

    assert isinstance(run.result, DiscardResult), run.failure
    assert kept in run.result.removed
    assert app.engine.docker("image", "inspect", kept, check=False).returncode != 0
    assert app.names() == {"db", "web"}
    assert app.shop.states() == {"running"}
    # Whoever takes it up tells the same.
    bench.claim = 2
    await bench.do(discard)
    assert bench.outcomes[-1].result == run.result


@pytest.mark.parametrize("when", ["before", "after"])
async def test_whoever_takes_up_a_removal_that_died_removes_the_rest_and_tells_of_all(
    bench: Bench, held: Held, nas: Place, app: Versions, when: str
) -> None:
    made = await backed_up(bench, nas, app.shop, {})
    app.update()
    restore = await bench.outcome(restore_of(nas, app.shop, made))
    previous = [each.previous for each in result_of(restore).places if each.previous]
    discard = discard_of(restore.run_id, {})
    await held.dies(bench, discard, when, "rmi")

    bench.claim = 2
    run = await bench.outcome(discard)

    assert isinstance(run.result, DiscardResult), run.failure
    (kept,) = result_of(restore).previous_images
    assert set(run.result.removed) == {*previous, kept}
    assert run.result.freed_bytes > 0
    assert app.engine.docker("image", "inspect", kept, check=False).returncode != 0
    assert not any(Path(each).exists() for each in previous)
    assert app.shop.states() == {"running"}


async def test_the_version_of_now_is_back_when_the_one_of_the_backup_is_not_well(
    bench: Bench, device: dict[str, Any], nas: Place, app: Versions
) -> None:
    (app.shop.volume / "state").write_text("sick")
    made = await backed_up(bench, nas, app.shop, device)
    now = app.update()

    run = await bench.outcome(restore_of(nas, app.shop, made, **device))

    assert run.failure is not None
    assert run.failure.code == "app_not_healthy"
    assert "The previous state is back." in run.failure.message
    back = app.shown("web")
    assert back["Id"] == now
    assert back["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert app.version() == NEW
    assert (app.shop.volume / "state").read_text() == "migrated"
    assert app.names() == {"db", "web"}
    assert app.shop.states() == {"running"}


MOMENTS = [("after", "update"), ("after", "rename"), ("before", "start"), ("after", "start")]
AT_THE_END = [("before", "commit"), ("after", "commit")]


@pytest.mark.parametrize(("when", "word"), [*MOMENTS, *AT_THE_END])
async def test_whoever_takes_up_what_died_at_a_container_ends_with_the_one_of_the_backup(
    bench: Bench, held: Held, nas: Place, app: Versions, when: str, word: str
) -> None:
    made = await backed_up(bench, nas, app.shop, {})
    now = app.update()
    work = restore_of(nas, app.shop, made)
    await held.dies(bench, work, when, word)

    bench.claim = 2
    run = await bench.outcome(work)

    assert run.status is RunStatus.SUCCESS, run.failure
    assert app.version() == OLD
    (kept,) = result_of(run).previous_images
    assert app.engine.docker("image", "inspect", kept).returncode == 0
    assert app.engine.docker("inspect", now, check=False).returncode != 0
    assert app.names() == {"db", "web"}
    assert (app.shop.volume / "state").read_text() == "good"


@pytest.mark.parametrize(("when", "word"), MOMENTS)
async def test_what_died_at_a_container_and_is_given_up_is_put_back_by_the_next_restore(
    bench: Bench, held: Held, nas: Place, app: Versions, when: str, word: str
) -> None:
    made = await backed_up(bench, nas, app.shop, {})
    now = app.update()
    await held.dies(bench, restore_of(nas, app.shop, made), when, word)

    # It puts back first, and cannot do more.
    run = await bench.outcome(restore_of(nas, app.shop, (made[0], "0" * 64)))

    assert run.status is RunStatus.FAILED
    back = app.shown("web")
    assert back["Id"] == now
    assert back["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert (app.shop.volume / "state").read_text() == "migrated"
    assert app.names() == {"db", "web"}
    assert app.shop.states() == {"running"}


async def test_one_that_cannot_be_made_an_image_stays_beside_and_is_no_app(
    bench: Bench, held: Held, nas: Place, app: Versions
) -> None:
    made = await backed_up(bench, nas, app.shop, {})
    now = app.update()
    (held.folder / "fails").write_text("commit")

    restore = await bench.outcome(restore_of(nas, app.shop, made))

    assert restore.status is RunStatus.SUCCESS, restore.failure
    (left,) = app.names() - {"db", "web"}
    assert f"It is there, stopped, as {left}" in result_of(restore).warnings[-1]
    aside = app.shown(left)
    assert (aside["Id"], aside["State"]["Status"]) == (now, "exited")
    assert aside["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert await found_apps(bench) == {"db", "web"}
    run = await bench.outcome(discard_of(restore.run_id, {}))
    assert run.status is RunStatus.SUCCESS, run.failure
    assert app.names() == {"db", "web"}


async def test_one_that_was_made_again_just_as_it_was_stays(
    bench: Bench, device: dict[str, Any], nas: Place, app: Versions
) -> None:
    made = await backed_up(bench, nas, app.shop, device)
    app.engine.docker("rm", "-f", "web")
    now = app.run("web", "-e", f"SECRET={SECRET}", "--restart", "unless-stopped")

    run = await bench.outcome(restore_of(nas, app.shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert app.shown("web")["Id"] == now
    assert (result_of(run).warnings, result_of(run).previous_images) == ((), ())


async def test_who_shares_the_network_of_one_that_is_made_again_is_made_again_too(
    bench: Bench, device: dict[str, Any], nas: Place, app: Versions
) -> None:
    app.engine.docker("rm", "-f", "db")
    app.engine.docker(
        *("run", "-d", "--name", "db", "--network", "container:web", "-v", "shop_data:/data"),
        *("lab:1", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"),
    )
    # Who needs another one is started after it.
    found = app.shop.found
    app.shop.found = replace(found, services=tuple(reversed(found.services)))
    made = await backed_up(bench, nas, app.shop, device)
    app.update()

    run = await bench.outcome(restore_of(nas, app.shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    web = app.shown("web")["Id"]
    assert app.shown("db")["HostConfig"]["NetworkMode"] in (f"container:{web}", "container:web")
    assert app.shop.states() == {"running"}
    assert app.version() == OLD
    assert len(result_of(run).previous_images) == 2
    # And of nothing at all.
    app.engine.remove_all()
    run = await bench.outcome(restore_of(nas, app.shop, made, **device))
    assert run.status is RunStatus.SUCCESS, run.failure
    assert app.shop.states() == {"running"}


# ---- images that are not there


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    if missing_registry():
        pytest.skip("there is no registry here: apt-get install docker-registry")
    registry = Registry(tmp_path / "registry").start()
    yield registry
    registry.stop()


@pytest.fixture
async def pushed(engine: Dockerd, registry: Registry, tmp_path: Path) -> Versions:
    """Its image was pulled; the registry has another one of that name by now."""
    await until(registry.answers, what="the registry answers")
    name = f"{registry.name}/house/app:stable"
    engine.import_version(name, OLD)
    engine.docker("push", name)
    app = Versions(engine, tmp_path, name)
    engine.docker("push", name)
    return app


def forget_images(app: Versions) -> None:
    """As on another device: the registry has a newer one of that name."""
    app.engine.remove_all()
    app.engine.import_version(app.name, NEW)
    app.engine.docker("push", app.name)
    told = app.engine.docker("images", "--quiet", "--no-trunc", app.name.rpartition(":")[0])
    app.engine.docker("rmi", "-f", *set(told.stdout.split()))
    app.engine.docker("rmi", "-f", app.old, check=False)


async def test_the_very_image_of_the_backup_is_pulled_though_its_name_means_another_one(
    bench: Bench, device: dict[str, Any], nas: Place, pushed: Versions
) -> None:
    made = await backed_up(bench, nas, pushed.shop, device)
    forget_images(pushed)
    dry = await bench.outcome(restore_of(nas, pushed.shop, made, dry_run=True, **device))
    assert f"The image {pushed.name} is not there, and is pulled first." in result_of(dry).warnings

    run = await bench.outcome(restore_of(nas, pushed.shop, made, **device))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert pushed.version() == OLD
    assert pushed.shown("web")["Config"]["Image"] == pushed.name
    assert any(each.name.startswith("pull the image") for each in result_of(run).steps)
    assert result_of(run).warnings == ()


async def test_an_image_that_cannot_be_had_is_told_before_anything_is_changed(
    bench: Bench, device: dict[str, Any], nas: Place, pushed: Versions, registry: Registry
) -> None:
    made = await backed_up(bench, nas, pushed.shop, device)
    forget_images(pushed)
    registry.stop()
    (pushed.shop.site / "new").write_text("later")

    run = await bench.outcome(restore_of(nas, pushed.shop, made, **device))

    assert run.failure is not None
    assert run.failure.code == "image_not_pulled"
    assert pushed.name in run.failure.message
    assert "refused" in run.failure.detail
    assert (pushed.shop.site / "new").exists()
    assert pushed.names() == set()
    assert not list(pushed.shop.site.parent.glob(".holdfast-before-*"))


async def test_without_its_registry_an_image_of_the_same_name_is_taken_and_that_is_told(
    bench: Bench, nas: Place, pushed: Versions, registry: Registry
) -> None:
    made = await backed_up(bench, nas, pushed.shop, {})
    forget_images(pushed)
    registry.stop()
    pushed.engine.import_version(pushed.name, NEW)

    run = await bench.outcome(restore_of(nas, pushed.shop, made))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert pushed.version() == NEW
    (warning,) = result_of(run).warnings
    assert "the very image of the backup is not to be had any more" in warning
