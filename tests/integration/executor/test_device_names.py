"""What a path on a device may be called: a shell is on the way there."""

from pathlib import Path

import pytest

from holdfast.events.run import RunStatus
from holdfast.events.snapshot import SnapshotCompleted
from holdfast.events.work import RestoreRequested
from support.executor import Bench, Place, backup_of, work_of
from support.hosts import Pi
from support.sshd import Sshd
from support.trees import differences, make_tree, manifest

pytestmark = [pytest.mark.restic, pytest.mark.sftp]


@pytest.mark.parametrize(
    "name", ["new\nline", ' it\'s "$HOME" `id` ', "-[glob]*?\\", "ünïcode\ttab"]
)
async def test_a_tree_below_any_name_is_backed_up_and_comes_back(
    bench: Bench, own_sshd: Sshd, nas: Place, tmp_path: Path, name: str
) -> None:
    pi = Pi(own_sshd, tmp_path / "pi").known_to(bench)
    data = make_tree(tmp_path / name)
    target = tmp_path / f"{name} back"

    run = await bench.outcome(backup_of([data], nas, device=pi.address))
    assert run.status is RunStatus.SUCCESS, run.failure
    (made,) = bench.said(SnapshotCompleted)
    assert made.paths == (str(data),)
    restored = await bench.outcome(
        work_of(
            RestoreRequested,
            nas,
            restic_snapshot_id=made.restic_snapshot_id,
            target_path=str(target),
            device=pi.address,
        )
    )

    assert restored.status is RunStatus.SUCCESS, restored.failure
    back = target / str(data)[1:]
    assert differences(manifest(data), manifest(back)) == []
    assert (back / "secret").samefile(back / "sub dir" / "hard link")
