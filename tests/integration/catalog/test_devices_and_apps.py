"""Declaring devices and apps."""

import pytest

from holdfast.catalog.answers.apps import answer_create_app, answer_list_apps
from holdfast.catalog.answers.configurations import answer_list_configurations
from holdfast.catalog.answers.devices import answer_create_device, answer_list_devices
from holdfast.catalog.answers.policies import answer_list_policies
from holdfast.catalog.deps import Deps
from holdfast.events.queries import (
    CreateApp,
    CreateDevice,
    ListApps,
    ListConfigurations,
    ListDevices,
    ListPolicies,
)
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.kernel.ids import new_id
from support.catalog import published

pytestmark = pytest.mark.postgres


async def test_a_device_is_declared_and_listed_by_name(deps: Deps) -> None:
    device = await answer_create_device(CreateDevice(name=" attic ", site="cottage"), deps)

    listed = await answer_list_devices(ListDevices(), deps)

    assert [one.name for one in listed] == ["attic", "nas"]
    assert listed[0] == device
    assert [one.site for one in listed] == ["cottage", "main"]


async def test_a_device_s_name_is_unique(deps: Deps) -> None:
    with pytest.raises(ConflictError, match="Another device has this name"):
        await answer_create_device(CreateDevice(name="nas"), deps)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (CreateDevice(name=""), "name"),
        (CreateDevice(name="x", type="smb"), "type"),
        (CreateDevice(name="x", ssh_host="pi"), "type"),
        (CreateDevice(name="x", type="ssh"), "host"),
        (CreateDevice(name="x", type="ssh", ssh_host="ssh://pi", ssh_user="u"), "host"),
        (CreateDevice(name="x", type="ssh", ssh_host="pi"), "user"),
        (CreateDevice(name="x", type="ssh", ssh_host="pi", ssh_user="u", ssh_port=0), "port"),
        (CreateDevice(name="x", type="ssh", ssh_host="pi", ssh_user="u"), "password"),
        (CreateDevice(name="x", site="a.b"), "site"),
    ],
)
async def test_a_device_that_will_not_do_is_refused(
    deps: Deps, query: CreateDevice, field: str
) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{field}"):
        await answer_create_device(query, deps)


async def test_a_new_app_is_protected_by_the_default_policy(deps: Deps) -> None:
    (device,) = await answer_list_devices(ListDevices(), deps)
    (policy,) = await answer_list_policies(ListPolicies(), deps)

    app = await answer_create_app(
        CreateApp(name="Photos", device_id=device.id, paths=("/srv/photos/",)), deps
    )

    assert app.paths == ("/srv/photos",)
    assert await answer_list_apps(ListApps(), deps) == (app,)
    (tie,) = await answer_list_configurations(ListConfigurations(app_id=app.id), deps)
    assert (tie.app_id, tie.policy_id, tie.enabled) == (app.id, policy.id, True)
    ((type_, event),) = await published(deps)
    assert type_ == "configuration.changed"
    assert (event["configuration_id"], event["change"]) == (str(tie.id), "created")
    assert deps.wake.is_set()


async def test_an_app_that_is_refused_leaves_no_configuration_behind(deps: Deps) -> None:
    (device,) = await answer_list_devices(ListDevices(), deps)
    query = CreateApp(name="Photos", device_id=device.id, paths=("/srv/photos",))
    await answer_create_app(query, deps)

    with pytest.raises(ConflictError, match="Another app has this name"):
        await answer_create_app(query, deps)
    with pytest.raises(InvalidRequestError, match=r"^device_id"):
        await answer_create_app(CreateApp(name="X", device_id=new_id(), paths=("/x",)), deps)
    with pytest.raises(InvalidRequestError, match=r"^paths"):
        await answer_create_app(CreateApp(name="X", device_id=device.id, paths=()), deps)

    assert len(await answer_list_configurations(ListConfigurations(), deps)) == 1
    assert len(await published(deps)) == 1
