"""A whole app brought back on Podman, whose API and command differ from Docker's in places."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.devices.local import LocalRunner
from holdfast.events.discovery import DataKind, FoundApp, FoundData, FoundService
from holdfast.events.drilling import DrillRequested
from holdfast.events.drills import DrillMode, DrillProbe, DrillResult, ProbeKind
from holdfast.events.restoring import AppRestoreResult
from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import AppRestoreRequested, BackupRequested
from holdfast.executor.attempt import notes_in
from holdfast.kernel.ids import new_id
from support.executor import Bench, Place, backup_of, until, work_of
from support.podman import Podman

pytestmark = [pytest.mark.restic, pytest.mark.podman]

LOOP = "trap 'exit 0' TERM; echo up >>/data/log; while :; do sleep 0.1; done"


class Notes:
    """A container with a volume."""

    def __init__(self, podman: Podman) -> None:
        self.podman = podman
        self.run("-e", "SECRET=hunter2", "--label", "kind=notes")
        words = ("volume", "inspect", "--format", "{{.Mountpoint}}", "notes_data")
        self.volume = Path(podman.docker(*words).stdout.strip())
        (self.volume / "note").write_text("milk")
        self.found = FoundApp(
            key="podman/container/notes",
            engine="podman",
            name="notes",
            services=(
                FoundService(
                    name="notes", container="notes", image="localhost/lab:1", status="running"
                ),
            ),
            data=(
                FoundData(
                    kind=DataKind.VOLUME,
                    name="notes_data",
                    path=str(self.volume),
                    services=("notes",),
                ),
            ),
        )

    def run(self, *options: str) -> None:
        self.podman.docker(
            *("run", "-d", "--name", "notes", "--network", "none", "-v", "notes_data:/data"),
            *(*options, "localhost/lab:1", "sh", "-c", LOOP),
        )

    def shown(self, what: str) -> str:
        return self.podman.docker("inspect", "--format", what, "notes").stdout.strip()


@pytest.fixture
def notes(podman: Podman) -> Iterator[Notes]:
    yield Notes(podman)
    podman.remove_all()
    podman.docker("volume", "rm", "-f", "notes_data")


@pytest.fixture
def bench(podman: Podman, tmp_path: Path) -> Bench:
    """Its ``docker`` is Podman, as where podman-docker is installed."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "docker"
    settings = " ".join(f"{name}={value}" for name, value in podman.settings.items())
    shim.write_text(f'#!/bin/sh\n{settings} exec {shutil.which("podman")} "$@"\n')
    shim.chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{podman.run}/sock",
    }
    cache = tmp_path / "cache"
    return Bench(cache, runner=LocalRunner(environ, notes=notes_in(cache)))


def restore_of(nas: Place, notes: Notes, made: tuple[BackupRequested, str]) -> AppRestoreRequested:
    work: AppRestoreRequested = work_of(
        AppRestoreRequested,
        nas,
        app_id=new_id(),
        restic_snapshot_id=made[1],
        backup_run_id=made[0].run_id,
        found=notes.found,
    )
    return work


async def backed_up(bench: Bench, nas: Place, notes: Notes) -> tuple[BackupRequested, str]:
    work = backup_of([notes.volume], nas, environment_of=("notes",), found=notes.found)
    run = await bench.outcome(work)
    assert run.status is RunStatus.SUCCESS, run.failure
    return work, bench.said(SnapshotCompleted)[-1].restic_snapshot_id


async def test_an_app_of_which_nothing_is_left_is_back_as_it_was(
    bench: Bench, nas: Place, notes: Notes, podman: Podman
) -> None:
    made = await backed_up(bench, nas, notes)
    podman.remove_all()
    podman.docker("volume", "rm", "notes_data")

    run = await bench.outcome(restore_of(nas, notes, made))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, AppRestoreResult)
    assert run.result.containers == ("notes",)
    assert (notes.volume / "note").read_text() == "milk"
    assert notes.shown("{{.State.Status}}") == "running"
    assert "SECRET=hunter2" in notes.shown("{{.Config.Env}}")
    assert notes.shown('{{index .Config.Labels "kind"}}') == "notes"
    await until(lambda: (notes.volume / "log").read_text() == "up\nup\n", what="it has its volume")


async def test_one_that_differs_is_made_as_it_was_and_the_one_of_now_is_an_image(
    bench: Bench, nas: Place, notes: Notes, podman: Podman
) -> None:
    made = await backed_up(bench, nas, notes)
    podman.docker("rm", "-f", "notes")
    notes.run("-e", "SECRET=changed", "--restart", "always")

    run = await bench.outcome(restore_of(nas, notes, made))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert isinstance(run.result, AppRestoreResult)
    (warning,) = run.result.warnings
    assert "notes is not as it was at the backup (environment, labels, settings)" in warning
    assert "SECRET=hunter2" in notes.shown("{{.Config.Env}}")
    assert notes.shown("{{.State.Status}}") == "running"
    (kept,) = run.result.previous_images
    shown = podman.docker("image", "inspect", "--format", "{{.Config.Env}}", kept).stdout
    assert "SECRET=changed" in shown
    assert podman.docker("ps", "-a", "--format", "{{.Names}}").stdout.split() == ["notes"]


async def test_one_that_was_made_again_just_as_it_was_stays(
    bench: Bench, nas: Place, notes: Notes, podman: Podman
) -> None:
    made = await backed_up(bench, nas, notes)
    podman.docker("rm", "-f", "notes")
    notes.run("-e", "SECRET=hunter2", "--label", "kind=notes")
    now = notes.shown("{{.Id}}")

    run = await bench.outcome(restore_of(nas, notes, made))

    assert isinstance(run.result, AppRestoreResult), run.failure
    assert (run.result.warnings, notes.shown("{{.Id}}")) == ((), now)


async def test_where_both_engines_are_the_one_of_the_app_is_asked(
    bench: Bench, nas: Place, notes: Notes, podman: Podman, tmp_path: Path
) -> None:
    # Podman's socket is where it is told that Docker's is: there is no other place to move it to.
    (tmp_path / "bin/docker").rename(tmp_path / "bin/podman")
    (tmp_path / "bin/docker").write_text("#!/bin/sh\necho 'this is the other one' >&2\nexit 1\n")
    (tmp_path / "bin/docker").chmod(0o755)
    made = await backed_up(bench, nas, notes)
    (notes.volume / "note").write_text("later")

    run = await bench.outcome(restore_of(nas, notes, made))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert (notes.volume / "note").read_text() == "milk"


async def test_a_drill_brings_it_up_beside_itself(
    bench: Bench, nas: Place, notes: Notes, podman: Podman
) -> None:
    backup, snapshot = await backed_up(bench, nas, notes)
    before = (notes.shown("{{.State.StartedAt}}"), (notes.volume / "log").read_text())
    question = DrillProbe(
        kind=ProbeKind.COMMAND, container="notes", command='[ "$(cat /data/note)" = milk ]'
    )

    run = await bench.outcome(
        work_of(
            DrillRequested,
            nas,
            configuration_id=backup.configuration_id,
            restic_snapshot_id=snapshot,
            backup_run_id=backup.run_id,
            mode=DrillMode.BOOT,
            probes=(question,),
        )
    )

    assert isinstance(run.result, DrillResult)
    assert run.status is RunStatus.SUCCESS, run.failure
    assert run.result.answers[0].ok
    assert (notes.shown("{{.State.StartedAt}}"), (notes.volume / "log").read_text()) == before
    assert podman.docker("ps", "-aq").stdout.split() == [notes.shown("{{.Id}}")[:12]]
