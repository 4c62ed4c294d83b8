"""What may be said about hooks and a quiet app."""

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.catalog.domain.consistency import checked_consistency
from holdfast.catalog.domain.discovered import consistency_of
from holdfast.events.consistency import Consistency, Hook, HookKind, Quiet, When
from holdfast.events.discovery import FoundApp, FoundService
from holdfast.kernel.errors import InvalidRequestError
from support.gateway import app, configuration


def hook(**fields: Any) -> Hook:
    return Hook(**{"when": When.BEFORE, "command": "true", **fields})


def test_what_can_be_done_stays_as_it_is() -> None:
    wanted = Consistency(
        hooks=(
            hook(),
            hook(kind=HookKind.CONTAINER, container="immich_server"),
            hook(kind=HookKind.HTTP, command="", url="https://a.lan/x?y=1"),
        ),
        containers=("db", "web"),
        quiet=Quiet.STOP,
    )
    assert checked_consistency(wanted) == wanted


def test_a_method_is_written_large_and_a_container_is_named_once() -> None:
    wanted = Consistency(
        hooks=(hook(kind=HookKind.HTTP, url="http://a", method="post"),), containers=("db", "db")
    )
    checked = checked_consistency(wanted)
    assert (checked.hooks[0].method, checked.containers) == ("POST", ("db",))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Consistency(hooks=(hook(command=" "),)), "hooks[0].command is empty"),
        (Consistency(hooks=(hook(timeout_seconds=0),)), "hooks[0].timeout_seconds"),
        (Consistency(hooks=(hook(), hook(timeout_seconds=10**6))), "hooks[1].timeout_seconds"),
        (Consistency(hooks=(hook(kind=HookKind.CONTAINER),)), "hooks[0].container"),
        (
            Consistency(hooks=(hook(kind=HookKind.CONTAINER, container="--privileged"),)),
            "container",
        ),
        (Consistency(hooks=(hook(kind=HookKind.HTTP),)), "url is empty"),
        (Consistency(hooks=(hook(kind=HookKind.HTTP, url="file:///etc/passwd"),)), "no address"),
        (Consistency(hooks=(hook(kind=HookKind.HTTP, url="http://a", method="X Y"),)), "method"),
        (Consistency(containers=("-f",)), "containers[0]"),
        (Consistency(quiet=Quiet.STOP), "containers is empty"),
        (Consistency(hooks=(hook(),) * 21), "20 hooks"),
    ],
)
def test_what_cannot_be_done_is_named(wanted: Consistency, told: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checked_consistency(wanted)
    assert told in caught.value.message


SHOP = FoundApp(
    key="docker/compose/shop",
    engine="docker",
    name="shop",
    services=(
        FoundService(
            name="db",
            container="shop-db-1",
            image="postgres:16",
            status="running",
            is_database=True,
        ),
        FoundService(
            name="old", container="shop-old-1", image="mysql:5", status="exited", is_database=True
        ),
        FoundService(name="web", container="shop-web-1", image="nginx", status="running"),
    ),
)


@pytest.mark.parametrize(
    ("wanted", "containers"),
    [
        (Consistency(), ("shop-db-1",)),
        (Consistency(dumps=False), ()),
        (Consistency(quiet=Quiet.STOP), ("shop-db-1", "shop-old-1", "shop-web-1")),
        (Consistency(containers=("mine",)), ("mine",)),
    ],
)
def test_an_app_that_was_found_has_its_own_containers(
    wanted: Consistency, containers: tuple[str, ...]
) -> None:
    tie = replace(configuration(), consistency=wanted)

    made = consistency_of(app(found=SHOP), tie)

    assert made == replace(wanted, containers=containers)
    assert consistency_of(app(found=None), tie) == wanted
