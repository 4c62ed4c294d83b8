"""Configurations: the ties between apps and policies."""

import asyncio

import msgspec
import pytest

from holdfast.catalog.answers.apps import answer_create_app
from holdfast.catalog.answers.configurations import (
    answer_create_configuration,
    answer_delete_configuration,
    answer_get_configuration,
    answer_list_configurations,
    answer_update_configuration,
)
from holdfast.catalog.answers.devices import answer_list_devices
from holdfast.catalog.answers.policies import answer_create_policy
from holdfast.catalog.deps import Deps
from holdfast.catalog.handlers import on_run_completed, on_snapshot_completed
from holdfast.events.consistency import Consistency, Hook, Quiet, Step, When
from holdfast.events.queries import (
    CreateApp,
    CreateConfiguration,
    CreatePolicy,
    DeleteConfiguration,
    GetConfiguration,
    ListConfigurations,
    ListDevices,
    UpdateConfiguration,
)
from holdfast.events.run import BackupResult
from holdfast.events.views import ConfigurationView, PolicyView
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock, published
from support.runs import (
    claimed,
    protected_app,
    run_ended,
    run_of,
    snapshot_made,
    started,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
async def first(deps: Deps) -> ConfigurationView:
    """The configuration that came with an app."""
    (device,) = await answer_list_devices(ListDevices(), deps)
    await answer_create_app(
        CreateApp(name="Photos", device_id=device.id, paths=("/srv/photos",)), deps
    )
    (tie,) = await answer_list_configurations(ListConfigurations(), deps)
    return tie


@pytest.fixture
async def hourly(deps: Deps) -> PolicyView:
    return await answer_create_policy(CreatePolicy(name="Hourly", schedule="@hourly"), deps)


def tied(first: ConfigurationView, **fields: object) -> CreateConfiguration:
    assert first.app_id is not None
    return CreateConfiguration(app_id=first.app_id, **fields)  # type: ignore[arg-type]  # a table


async def test_an_app_may_follow_several_policies(
    deps: Deps, first: ConfigurationView, hourly: PolicyView
) -> None:
    second = await answer_create_configuration(
        tied(first, policy_id=hourly.id, include_paths=("/etc/photos/",), exclude_paths=("*.tmp",)),
        deps,
    )

    assert (second.include_paths, second.exclude_paths) == (("/etc/photos",), ("*.tmp",))
    listed = await answer_list_configurations(ListConfigurations(app_id=first.app_id), deps)
    assert [one.id for one in listed] == [first.id, second.id]
    assert await answer_list_configurations(ListConfigurations(app_id=new_id()), deps) == ()


async def test_the_same_tie_again_changes_the_one_there_is(
    deps: Deps, first: ConfigurationView, clock: Clock
) -> None:
    clock.advance(minutes=1)

    again = await answer_create_configuration(tied(first, backup_env=False), deps)

    assert (again.id, again.backup_env, again.updated_at) == (first.id, False, clock())
    assert len(await answer_list_configurations(ListConfigurations(), deps)) == 1
    assert (await published(deps))[-1][1]["change"] == "updated"


async def test_the_same_tie_at_once_is_one(
    deps: Deps, first: ConfigurationView, hourly: PolicyView
) -> None:
    ties = await asyncio.gather(
        *(answer_create_configuration(tied(first, policy_id=hourly.id), deps) for _ in range(5))
    )

    assert len({tie.id for tie in ties}) == 1


async def test_an_app_or_a_policy_that_is_not_there_is_refused_by_field(
    deps: Deps, first: ConfigurationView
) -> None:
    with pytest.raises(InvalidRequestError, match=r"^app_id"):
        await answer_create_configuration(CreateConfiguration(app_id=new_id()), deps)
    with pytest.raises(InvalidRequestError, match=r"^policy_id"):
        await answer_create_configuration(tied(first, policy_id=new_id()), deps)
    with pytest.raises(InvalidRequestError, match=r"^policy_id"):
        await answer_update_configuration(
            UpdateConfiguration(configuration_id=first.id, policy_id=new_id()), deps
        )


async def test_an_update_leaves_what_it_does_not_name(
    deps: Deps, first: ConfigurationView, clock: Clock
) -> None:
    clock.advance(minutes=1)

    changed = await answer_update_configuration(
        UpdateConfiguration(configuration_id=first.id, backup_compose=False), deps
    )

    assert (changed.backup_compose, changed.backup_env) == (False, True)
    assert await enabled_at(deps, first) == first.created_at


async def test_due_times_count_anew_with_another_policy_and_when_switched_on(
    deps: Deps, first: ConfigurationView, hourly: PolicyView, clock: Clock
) -> None:
    async def change(**fields: object) -> object:
        clock.advance(minutes=1)
        await answer_update_configuration(
            UpdateConfiguration(configuration_id=first.id, **fields),  # type: ignore[arg-type]  # a table
            deps,
        )
        return await enabled_at(deps, first)

    assert await change(policy_id=hourly.id) == clock()
    before = clock()
    assert await change(enabled=False) == before
    assert await change(enabled=True) == clock()


async def enabled_at(deps: Deps, tie: ConfigurationView) -> object:
    return await deps.pool.fetchval("select enabled_at from configuration where id = $1", tie.id)


async def test_a_tie_cannot_become_another_one(
    deps: Deps, first: ConfigurationView, hourly: PolicyView
) -> None:
    await answer_create_configuration(tied(first, policy_id=hourly.id), deps)

    with pytest.raises(ConflictError, match="has a configuration with this policy"):
        await answer_update_configuration(
            UpdateConfiguration(configuration_id=first.id, policy_id=hourly.id), deps
        )


async def test_a_deleted_configuration_is_gone_and_its_tie_is_free(
    deps: Deps, first: ConfigurationView
) -> None:
    await answer_delete_configuration(DeleteConfiguration(configuration_id=first.id), deps)

    for question in (
        answer_get_configuration(GetConfiguration(configuration_id=first.id), deps),
        answer_delete_configuration(DeleteConfiguration(configuration_id=first.id), deps),
        answer_update_configuration(
            UpdateConfiguration(configuration_id=first.id, enabled=True), deps
        ),
    ):
        with pytest.raises(NotFoundError, match=str(first.id)):
            await question
    assert (await answer_create_configuration(tied(first), deps)).id != first.id


async def test_what_is_done_around_a_backup_is_kept_and_goes_with_its_work(
    deps: Deps, clock: Clock
) -> None:
    protected = await protected_app(deps)
    wanted = Consistency(
        hooks=(Hook(when=When.BEFORE, command="sync"),), containers=("db",), quiet=Quiet.STOP
    )

    changed = await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected.configuration_id, consistency=wanted), deps
    )
    renamed = await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected.configuration_id, backup_env=False), deps
    )
    run = await started(deps, protected)

    assert changed.consistency == renamed.consistency == wanted
    work = await deps.pool.fetchval("select work from run where id = $1", run.id)
    assert work["consistency"] == msgspec.json.decode(msgspec.json.encode(wanted))
    # What was done is shown with the run.
    claim = (await claimed(deps, run.id)).claim
    result = BackupResult(steps=(Step(name="sync", when=When.BEFORE, ok=True, output="done"),))
    await on_snapshot_completed(snapshot_made(run, claim, clock()), deps)
    await on_run_completed(run_ended(run, claim, clock(), result=result), deps)
    assert (await run_of(deps, run.id)).result == result


async def test_a_hook_that_cannot_be_done_is_refused(deps: Deps, first: ConfigurationView) -> None:
    bad = Consistency(hooks=(Hook(when=When.BEFORE, command=""),))
    with pytest.raises(InvalidRequestError, match="command is empty"):
        await answer_update_configuration(
            UpdateConfiguration(configuration_id=first.id, consistency=bad), deps
        )
