"""Which keys an operation is handed."""

import pytest

from holdfast.catalog.domain.credentials import secrets_for
from holdfast.events.run import Operation
from holdfast.events.work import DestinationSecrets

ONE = DestinationSecrets(repo_password="p", s3_access_key="a", s3_secret_key="s")
BOTH = DestinationSecrets(
    repo_password="p",
    s3_access_key="a",
    s3_secret_key="s",
    s3_maintenance_access_key="A",
    s3_maintenance_secret_key="S",
)
UPKEEP = DestinationSecrets(repo_password="p", s3_access_key="A", s3_secret_key="S")


@pytest.mark.parametrize("operation", Operation)
def test_only_what_tries_them_sees_both_pairs_and_only_what_deletes_gets_the_second(
    operation: Operation,
) -> None:
    deletes = {
        Operation.FORGET,
        Operation.PRUNE,
        Operation.PROTECT,
        Operation.UNDELETE,
        Operation.ROTATE_PASSWORD,
    }
    expected = BOTH if operation is Operation.INIT else UPKEEP if operation in deletes else ONE

    assert secrets_for(operation, BOTH) == expected
    assert secrets_for(operation, ONE) == ONE


def test_who_tries_new_keys_sees_both_pairs() -> None:
    assert secrets_for(Operation.PROBE, BOTH, tries=True) == BOTH
