"""What was before an app's restore is removed, here and on a device, or it is told why not."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from holdfast.events.discarding import DiscardRequested
from holdfast.events.restoring import DiscardResult
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.kernel.clock import utc_now
from holdfast.kernel.ids import new_id
from support.dockerd import Dockerd
from support.executor import Bench, Place, until
from support.shop import Shop, backed_up, restore_of, result_of

pytestmark = [pytest.mark.restic, pytest.mark.docker]

BIG = 3_000_000


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


def discard_of(restore_run_id: UUID, device: dict[str, Any], **fields: Any) -> DiscardRequested:
    return DiscardRequested(
        **{
            "event_id": new_id(),
            "occurred_at": utc_now(),
            "run_id": new_id(),
            "site": "main",
            "app_id": UUID(int=7),
            "restore_run_id": restore_run_id,
            **device,
            **fields,
        }
    )


async def restored(
    bench: Bench, nas: Place, shop: Shop, device: dict[str, Any]
) -> tuple[RunCompleted, list[Path]]:
    """A restore of the app, and where what was before it lies."""
    made = await backed_up(bench, nas, shop, device)
    (shop.volume / "state").write_text("spoilt")
    (shop.site / "big").write_bytes(os.urandom(BIG))
    run = await bench.outcome(restore_of(nas, shop, made, **device))
    assert run.status is RunStatus.SUCCESS, run.failure
    return run, [Path(each.previous) for each in result_of(run).places if each.previous]


def discarded(run: RunCompleted) -> DiscardResult:
    assert isinstance(run.result, DiscardResult), run.failure
    return run.result


async def test_what_was_before_a_restore_goes_and_the_app_runs_on(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    restore, previous = await restored(bench, nas, shop, device)
    now = shop.content()
    assert len(previous) == 3
    assert all(each.exists() for each in previous)
    # Somebody's own, of nearly the same name, and another restore's.
    strangers = [shop.site.parent / f".holdfast-before-{name}/site" for name in ("x", "0" * 12)]
    for each in strangers:
        each.mkdir(parents=True)

    run = await bench.outcome(discard_of(restore.run_id, device))

    assert run.status is RunStatus.SUCCESS, run.failure
    result = discarded(run)
    assert {Path(each) for each in result.removed} == set(previous)
    assert BIG <= result.freed_bytes < BIG * 2
    assert not any(each.exists() or each.parent.exists() for each in previous)
    assert all(each.exists() for each in strangers)
    assert shop.content() == now
    assert shop.states() == {"running"}


async def test_told_again_nothing_more_goes_and_nothing_is_counted_twice(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    restore, _ = await restored(bench, nas, shop, device)
    work = discard_of(restore.run_id, device)
    first = discarded(await bench.outcome(work))

    # Whoever takes the run up tells the same; another run finds that nothing is left.
    bench.claim = 2
    await bench.do(work)
    assert bench.said(RunCompleted)[-1].result == first
    bench.claim = 1
    again = await bench.outcome(discard_of(restore.run_id, device))
    assert again.status is RunStatus.SUCCESS, again.failure
    assert (discarded(again).removed, discarded(again).freed_bytes) == ((), 0)


async def test_while_a_restore_of_the_app_is_unfinished_nothing_goes(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    restore, previous = await restored(bench, nas, shop, device)
    made = await backed_up(bench, nas, shop, device)
    (shop.site / "big").unlink(missing_ok=True)
    for number in range(30):
        (shop.site / f"big{number}").write_bytes(os.urandom(4_000_000))
    made = await backed_up(bench, nas, shop, device)
    for number in range(30):
        (shop.site / f"big{number}").unlink()
    async with bench.doing(restore_of(nas, shop, made, **device)) as doing:
        await until(lambda: list(shop.site.glob("big*")), what="files are being brought back")
        doing.cancel()  # it does nothing more, as if its process were gone

    run = await bench.outcome(discard_of(restore.run_id, device))

    assert run.failure is not None
    assert run.failure.code == "restore_unfinished"
    assert "Restore the app again first" in run.failure.guidance
    assert all(each.exists() for each in previous)


async def test_of_a_restore_that_was_put_back_there_is_nothing_to_remove(
    bench: Bench, device: dict[str, Any], nas: Place, shop: Shop
) -> None:
    (shop.volume / "state").write_text("sick")
    made = await backed_up(bench, nas, shop, device)
    (shop.volume / "state").write_text("good")
    now = shop.content()
    failed = await bench.outcome(restore_of(nas, shop, made, **device))
    assert failed.failure is not None
    assert failed.failure.code == "app_not_healthy"

    for restore_run_id in (failed.run_id, new_id()):
        run = await bench.outcome(discard_of(restore_run_id, device))
        assert run.failure is not None
        assert run.failure.code == "nothing_to_discard"

    assert shop.content() == now
    assert shop.states() == {"running"}


async def test_a_journal_that_names_anything_else_is_not_followed(
    bench: Bench, nas: Place, shop: Shop, tmp_path: Path
) -> None:
    restore, previous = await restored(bench, nas, shop, {})
    folder = bench.deps.cache / "app-restores" / str(UUID(int=7)) / str(restore.run_id)
    journal = msgspec.json.decode((folder / "journal").read_bytes())
    (tmp_path / "precious").mkdir()
    journal["moves"][-1]["aside"] = str(tmp_path / "precious")
    (folder / "journal").write_bytes(msgspec.json.encode(journal))

    run = await bench.outcome(discard_of(restore.run_id, {}))

    assert run.failure is not None
    assert run.failure.code == "foreign_journal"
    assert (tmp_path / "precious").exists()
    assert all(each.exists() for each in previous)
