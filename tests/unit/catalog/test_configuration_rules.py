"""What a configuration may say."""

import pytest
from msgspec.structs import replace

from holdfast.catalog.domain.configuration import Scope, changed, checked, restarts_schedule
from holdfast.events.queries import UpdateConfiguration
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id

SCOPE = Scope(
    policy_id=new_id(),
    backup_volumes=True,
    backup_compose=True,
    backup_env=True,
    include_paths=(),
    exclude_paths=(),
    enabled=True,
)


def test_an_update_changes_what_is_set_and_leaves_the_rest() -> None:
    query = UpdateConfiguration(
        configuration_id=new_id(), backup_env=False, exclude_paths=("*.tmp",)
    )

    assert changed(SCOPE, query) == replace(SCOPE, backup_env=False, exclude_paths=("*.tmp",))


def test_paths_are_normalised_and_refused_by_field() -> None:
    assert checked(replace(SCOPE, include_paths=("/etc/",))).include_paths == ("/etc",)
    with pytest.raises(InvalidRequestError, match=r"^include_paths: "):
        checked(replace(SCOPE, include_paths=("etc",)))


def test_due_times_count_anew_with_another_policy_or_when_switched_on() -> None:
    off = replace(SCOPE, enabled=False)

    assert restarts_schedule(SCOPE, replace(SCOPE, policy_id=new_id()))
    assert restarts_schedule(off, SCOPE)
    assert not restarts_schedule(SCOPE, off)
    assert not restarts_schedule(SCOPE, replace(SCOPE, backup_env=False))
