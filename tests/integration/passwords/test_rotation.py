"""A repository's password is changed by a real catalog and a real executor, which dies anywhere.

At every moment the stored password opens the repository, and the next attempt finishes.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from holdfast.catalog.answers.executors import (
    answer_claim_run,
    answer_heartbeat,
    answer_release_claim,
)
from holdfast.catalog.answers.passwords import answer_rotate_password, answer_switch_password
from holdfast.catalog.answers.runs import answer_cancel_run
from holdfast.catalog.answers.status import answer_get_status
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed
from holdfast.catalog.store.destinations import addresses, sealed_secrets
from holdfast.catalog.store.instance import kit_was_made
from holdfast.catalog.store.passwords import change_of
from holdfast.events.base import Event
from holdfast.events.queries import (
    CancelRun,
    ClaimRun,
    GetStatus,
    Heartbeat,
    ReleaseClaim,
    RotatePassword,
    SwitchPassword,
)
from holdfast.events.registry import EVENTS
from holdfast.events.run import RunCompleted, RunStatus
from holdfast.events.views import RecoveryKitState
from holdfast.events.work import DestinationSecrets
from holdfast.kernel.errors import ConflictError
from holdfast.kernel.secret import Secret
from holdfast.restic.commands import config, key
from holdfast.restic.errors import WrongPasswordError
from holdfast.secretbox.restic_key import is_cheap
from holdfast.storage.local import LocalBackend
from support.catalog import Clock, opened_catalog
from support.destinations import add_local
from support.executor import Bench, Place, local_place
from support.runs import run_of

pytestmark = [pytest.mark.postgres, pytest.mark.restic]


class Died(BaseException):
    """The executor's process is gone."""


class Grave:
    """Where the executor is to die: before or after one of the things that it does."""

    def __init__(self) -> None:
        self.at = ""
        self.passed: list[str] = []

    async def around(self, what: str, action: Callable[[], Awaitable[Any]]) -> Any:
        self._pass(f"before {what}")
        done = await action()
        self._pass(f"after {what}")
        return done

    def _pass(self, point: str) -> None:
        self.passed.append(point)
        if point == self.at:
            self.at = ""
            raise Died(point)


class House:
    """A catalog on a database and an executor that asks it, without a bus in between."""

    def __init__(self, deps: Deps, clock: Clock, tmp_path: Path) -> None:
        self.deps = deps
        self.clock = clock
        self.grave = Grave()
        self.bench = Bench(tmp_path / "cache")
        self.destination_id = UUID(int=0)
        bus = self.bench.bus
        bus.answers |= {
            ClaimRun: lambda query: answer_claim_run(query, deps),
            Heartbeat: lambda query: answer_heartbeat(query, deps),
            ReleaseClaim: lambda query: answer_release_claim(query, deps),
            SwitchPassword: lambda query: self.grave.around(
                "the switch", lambda: answer_switch_password(query, deps)
            ),
        }
        remember = bus.publish

        async def publish(event: Event) -> None:
            await remember(event)
            if isinstance(event, RunCompleted):
                await self.grave.around("the word", lambda: on_run_completed(event, deps))

        bus.publish = publish  # type: ignore[method-assign] - it also tells the catalog

    async def do(self, run_id: UUID) -> None:
        """The run, as an executor that gets its message does it."""
        row = await self.deps.pool.fetchrow("select work_type, work from run where id = $1", run_id)
        work = msgspec.convert(row["work"], EVENTS[row["work_type"]], strict=False)
        await self.bench.do(work)

    async def dies(self, run_id: UUID, point: str) -> None:
        self.grave.at = point
        with pytest.raises(Died):
            await self.do(run_id)
        self.clock.advance(seconds=60)  # its claim runs out

    async def asked(self) -> UUID:
        query = RotatePassword(destination_id=self.destination_id)
        return (await answer_rotate_password(query, self.deps)).run_id

    async def stored(self) -> DestinationSecrets:
        async with self.deps.pool.acquire() as connection:
            (sealed,) = await sealed_secrets(connection, [self.destination_id])
        return self.deps.secrets.open_destination(sealed)

    async def place(self, secrets: DestinationSecrets) -> Place:
        async with self.deps.pool.acquire() as connection:
            found = await addresses(connection, [self.destination_id])
        return Place(found[self.destination_id], secrets)

    async def opens(self, secrets: DestinationSecrets) -> bool:
        try:
            await config.run(self.bench.restic(await self.place(secrets)))
        except WrongPasswordError:
            return False
        return True

    async def add(self, parent: Path, password: str = "") -> None:
        """Have a destination below *parent*."""
        accepted = await add_local(self.deps, "nas", str(parent), repo_password=password)
        assert accepted.destination_id is not None
        self.destination_id = accepted.destination_id
        await self.do(accepted.run_id)
        assert (await run_of(self.deps, accepted.run_id)).status is RunStatus.SUCCESS
        for row in await self.deps.pool.fetch("select id from run where operation = 'import'"):
            await self.do(row["id"])  # what is in a repository that was there already
        self.grave.passed.clear()

    async def is_changed_from(self, before: DestinationSecrets) -> None:
        """The stored password opens, is new, has the only key, and nothing is left over."""
        after = await self.stored()
        assert after.repo_password != before.repo_password
        assert await self.opens(after)
        assert not await self.opens(before)
        restic = self.bench.restic(await self.place(after))
        assert len(await key.list_keys(restic)) == 1
        async with self.deps.pool.acquire() as connection:
            assert (await change_of(connection, self.destination_id)).is_none


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A repository to copy: making one takes seconds, for restic tries how slow a key may be."""
    folder = tmp_path_factory.mktemp("made")
    place = local_place(folder)
    asyncio.run(Bench(folder / "cache").initialise(place))
    return place


@pytest.fixture
async def empty(
    postgres_dsn: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """A house without a repository."""
    (tmp_path / "nas").mkdir()
    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
        house = House(deps, clock, tmp_path)
        _watch(house.grave, monkeypatch)
        yield house


@pytest.fixture
async def house(empty: House, tmp_path: Path, made_once: Place) -> House:
    """A house with a repository."""
    shutil.copytree(made_once.address.local_path, tmp_path / "nas" / "homelab-backups")
    await empty.add(tmp_path / "nas", made_once.secrets.repo_password)
    return empty


def _watch(grave: Grave, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a change does to the world passes by the grave; it is done for real."""
    write, remove = LocalBackend.write_key, key.remove
    monkeypatch.setattr(
        LocalBackend,
        "write_key",
        lambda *given: grave.around("the new key", lambda: write(*given)),
    )
    monkeypatch.setattr(
        key, "remove", lambda *given: grave.around("the removal", lambda: remove(*given))
    )


POINTS = [
    f"{when} {what}"
    for what in ("the new key", "the switch", "the removal", "the word")
    for when in ("before", "after")
]


async def test_the_password_is_changed(house: House) -> None:
    before = await house.stored()

    run_id = await house.asked()
    await house.do(run_id)

    run = await run_of(house.deps, run_id)
    assert run.status is RunStatus.SUCCESS, run.failure
    assert house.grave.passed == POINTS
    await house.is_changed_from(before)


@pytest.mark.parametrize("password", ["", "correct horse"], ids=["ours", "a person's"])
async def test_of_a_repository_as_it_is_made(empty: House, tmp_path: Path, password: str) -> None:
    await empty.add(tmp_path / "nas", password)
    before = await empty.stored()

    await empty.do(await empty.asked())

    await empty.is_changed_from(before)
    place = await empty.place(await empty.stored())
    assert place.address.cheap_key
    (content,) = [each.read_bytes() for each in place.files("keys")]
    assert is_cheap(content)


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_takes_it_up_finishes_it(house: House, point: str) -> None:
    before = await house.stored()
    run_id = await house.asked()

    await house.dies(run_id, point)

    assert await house.opens(await house.stored())
    await house.do(run_id)
    assert (await run_of(house.deps, run_id)).status is RunStatus.SUCCESS
    await house.is_changed_from(before)


@pytest.mark.parametrize("point", POINTS[:-1])
async def test_called_off_half_way_the_next_change_finishes_it(house: House, point: str) -> None:
    before = await house.stored()
    run_id = await house.asked()
    await house.dies(run_id, point)
    await answer_cancel_run(CancelRun(run_id=run_id), house.deps)
    await house.do(run_id)  # it learns that it is cancelled
    assert (await run_of(house.deps, run_id)).status is RunStatus.CANCELLED
    assert await house.opens(await house.stored())

    again = await house.asked()
    await house.do(again)

    assert (await run_of(house.deps, again)).status is RunStatus.SUCCESS
    await house.is_changed_from(before)


async def test_a_key_that_was_half_written_does_not_stay(house: House, tmp_path: Path) -> None:
    keys = tmp_path / "nas" / "homelab-backups" / "keys"
    (keys / f".{'a' * 64}.part").write_bytes(next(keys.iterdir()).read_bytes())
    (keys / "a person's note").write_text("stays")

    await house.do(await house.asked())

    assert [each.name for each in keys.iterdir() if not each.name.isalnum()] == ["a person's note"]


async def test_who_was_fenced_out_neither_switches_nor_removes(house: House) -> None:
    before = await house.stored()
    run_id = await house.asked()
    await house.dies(run_id, "before the switch")
    other = await answer_claim_run(
        ClaimRun(run_id=run_id, executor_id="x", public_key=house.bench.deps.key.public),
        house.deps,
    )
    assert other.granted

    late = await answer_switch_password(
        SwitchPassword(run_id=run_id, claim=other.claim - 1), house.deps
    )

    assert not late.held
    assert await house.stored() == before


async def test_one_change_at_a_time(house: House) -> None:
    await house.asked()

    with pytest.raises(ConflictError):
        await house.asked()


async def test_the_keys_of_others_stay_and_one_more_change_removes_ours(house: House) -> None:
    place = await house.place(await house.stored())
    theirs = await key.add(house.bench.restic(place), Secret("a person's own"))
    for _ in range(2):
        await house.do(await house.asked())

    keys = await key.list_keys(house.bench.restic(await house.place(await house.stored())))
    assert theirs in {each.id for each in keys}
    assert len(keys) == 2


async def test_the_recovery_kit_is_out_of_date_after_it(house: House) -> None:
    await house.deps.pool.execute("update destination set in_recovery_kit = true")
    async with house.deps.pool.acquire() as connection:
        await kit_was_made(connection, house.clock())

    await house.do(await house.asked())

    status = await answer_get_status(GetStatus(), house.deps)
    assert status.recovery_kit.state is RecoveryKitState.OUTDATED


async def test_no_secret_is_on_the_bus_or_in_the_run(house: House) -> None:
    run_id = await house.asked()
    before = await house.stored()
    await house.do(run_id)
    after = await house.stored()

    row = await house.deps.pool.fetchrow(
        "select work::text, result::text from run where id = $1", run_id
    )
    outbox = await house.deps.pool.fetch("select convert_from(payload, 'utf8') as text from outbox")
    said = str(house.bench.bus.published) + str(dict(row)) + str([each["text"] for each in outbox])
    assert before.repo_password not in said
    assert after.repo_password not in said
    assert str(run_id) in said
