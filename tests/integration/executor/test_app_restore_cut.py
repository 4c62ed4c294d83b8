"""The link to a device breaks while an app is brought back there: all is as it was, or will be."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.devices.base import Program
from holdfast.devices.ssh import SshRunner
from holdfast.events.run import RunStatus
from holdfast.events.work import AppRestoreRequested
from holdfast.kernel.ids import new_id
from support.devices import connected, cut, nothing_marked
from support.dockerd import Dockerd
from support.executor import Bench, Place, until
from support.hosts import Pi
from support.shop import Shop, backed_up, restore_of, result_of
from support.sshd import Sshd

pytestmark = [pytest.mark.restic, pytest.mark.docker, pytest.mark.sftp]

FILES = 60


@pytest.fixture
def bench(engine_bench: Bench) -> Bench:
    """With the tests' own engine."""
    return engine_bench


@pytest.fixture
def pi(own_sshd: Sshd, engine_bench: Bench, engine_environ: dict[str, str], tmp_path: Path) -> Pi:
    """A device behind SSH whose engine is the tests' own."""
    pi = Pi(own_sshd, tmp_path / "pi").known_to(engine_bench)
    own_sshd.stop()
    own_sshd.environment += tuple(f"{name}={value}" for name, value in engine_environ.items())
    own_sshd.start()
    return pi


@pytest.fixture
def shop(engine: Dockerd, tmp_path: Path) -> Shop:
    return Shop(engine, tmp_path)


async def changed(bench: Bench, nas: Place, shop: Shop, pi: Pi) -> AppRestoreRequested:
    """The restore of an app that was much, and is something else now."""
    device: dict[str, Any] = {"device": pi.address}
    for number in range(FILES):
        (shop.site / f"big{number}").write_bytes(os.urandom(4_000_000))
    made = await backed_up(bench, nas, shop, device)
    for number in range(FILES):
        (shop.site / f"big{number}").unlink()
    (shop.site / "new").write_text("later")
    return restore_of(nas, shop, made, **device)


async def being_brought(shop: Shop, task: asyncio.Task[Any]) -> None:
    await until(
        lambda: task.done() or list(shop.site.glob("big*")), what="files are being brought back"
    )
    assert not task.done()


async def test_a_cut_link_is_told_as_the_devices_fault_and_all_is_as_it_was(
    bench: Bench, pi: Pi, nas: Place, shop: Shop
) -> None:
    work = await changed(bench, nas, shop, pi)
    now = shop.content()

    async with bench.doing(work) as task:
        await being_brought(shop, task)
        cut(pi.sshd)
        await task

    run = bench.outcomes[-1]
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "device_link_lost"
    assert run.failure.message.startswith("bring the files back: ")
    assert "The previous state is back." in run.failure.message
    # The device's fault is no destination's.
    assert result_of(run).failed_sources == ()
    await nothing_marked(str(work.run_id))
    assert shop.content() == now
    assert shop.states() == {"running"}
    assert not list(shop.site.parent.glob(".holdfast-before-*"))


async def test_what_a_device_that_stays_away_keeps_the_next_restore_puts_back_first(
    bench: Bench, pi: Pi, nas: Place, shop: Shop
) -> None:
    work = await changed(bench, nas, shop, pi)

    async with bench.doing(work) as task:
        await being_brought(shop, task)
        pi.sshd.stop()
        await task

    lost = bench.outcomes[-1]
    assert lost.failure is not None
    assert lost.failure.code == "device_link_lost"
    assert "could not be put back" in lost.failure.message
    assert ".holdfast-before-" in lost.failure.guidance
    pi.sshd.start()

    run = await bench.outcome(replace(work, event_id=new_id(), run_id=new_id()))

    assert run.status is RunStatus.SUCCESS, run.failure
    steps = [each.name for each in result_of(run).steps]
    assert steps[0] == f"put back what restore {work.run_id} left"
    previous = {each.path: Path(each.previous) for each in result_of(run).places if each.previous}
    aside = previous[str(shop.site)]
    assert (aside / "new").read_text() == "later"
    assert not list(aside.glob("big*"))  # what the first one brought is not taken for the app's
    assert len(list(shop.site.glob("big*"))) == FILES
    assert shop.states() == {"running"}


async def test_what_still_writes_for_the_lost_restore_is_ended_before_anything_is_put_back(
    bench: Bench, pi: Pi, nas: Place, shop: Shop
) -> None:
    """An executor that froze: its link is alive, and so is what it has started."""
    work = await changed(bench, nas, shop, pi)
    async with bench.doing(work) as task:
        await being_brought(shop, task)
        pi.sshd.stop()
        await task
    pi.sshd.start()
    loop = 'echo ready; while :; do echo late >"$1"; sleep 0.05; done'
    left = Program(
        argv=("sh", "-c", loop, "left", str(shop.site / "late")), run_id=str(work.run_id)
    )

    async with connected(pi.sshd) as link, SshRunner(link).start(left) as process:
        assert await anext(process.lines()) == b"ready"
        run = await bench.outcome(replace(work, event_id=new_id(), run_id=new_id()))
        await nothing_marked(str(work.run_id))

    assert run.status is RunStatus.SUCCESS, run.failure
    assert not (shop.site / "late").exists()
    assert len(list(shop.site.glob("big*"))) == FILES


async def test_a_link_that_freezes_is_given_up_and_the_next_restore_puts_back_first(
    bench: Bench, pi: Pi, nas: Place, shop: Shop
) -> None:
    """Nothing is refused and nothing is closed: nobody answers any more."""
    work = await changed(bench, nas, shop, pi)
    async with bench.doing(work) as task:
        await being_brought(shop, task)
        with pi.sshd.frozen():
            await task
    lost = bench.outcomes[-1]
    assert lost.failure is not None
    assert lost.failure.code == "device_link_lost"
    assert "could not be put back" in lost.failure.message

    run = await bench.outcome(replace(work, event_id=new_id(), run_id=new_id()))

    assert run.status is RunStatus.SUCCESS, run.failure
    await nothing_marked(str(work.run_id))
    previous = {each.path: Path(each.previous) for each in result_of(run).places if each.previous}
    assert (previous[str(shop.site)] / "new").read_text() == "later"
    assert not list(previous[str(shop.site)].glob("big*"))
    assert len(list(shop.site.glob("big*"))) == FILES
    assert shop.states() == {"running"}
