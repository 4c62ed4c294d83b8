"""The settings of a process, and what is said of those that will not do."""

from pathlib import Path

import pytest

from holdfast.kernel.errors import InvalidRequestError
from holdfast.settings import Settings


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.from_environment({})

    assert settings.listen == "127.0.0.1:8700"
    assert settings.retry_delays == (300.0, 1800.0, 7200.0)
    assert settings.master_passphrase is None
    assert settings.timezone


def test_a_passphrase_does_not_show_itself() -> None:
    settings = Settings.from_environment({"HOLDFAST_MASTER_PASSPHRASE": "open sesame"})

    assert "open sesame" not in repr(settings)


def test_files_are_in_the_data_directory_unless_named() -> None:
    settings = Settings.from_environment({"HOLDFAST_DATA": "/srv/holdfast"})

    assert settings.master_key_file == Path("/srv/holdfast/master-key")
    assert settings.admin_token_file == Path("/srv/holdfast/admin-token")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLDFAST_CLAIM_SECONDS", "soon"),
        ("HOLDFAST_CLAIM_SECONDS", "0"),
        ("HOLDFAST_EXECUTOR_SLOTS", "-1"),
        ("HOLDFAST_CLAIM_SECONDS", "inf"),
        ("HOLDFAST_CLAIM_SECONDS", "nan"),
        ("HOLDFAST_LOCK_WAIT_SECONDS", "-1"),
        ("HOLDFAST_LOCK_WAIT_SECONDS", "1e300"),
        ("HOLDFAST_EXECUTOR_SLOTS", "inf"),
        ("HOLDFAST_EXECUTOR_SLOTS", "1.5"),
        ("HOLDFAST_RETRY_DELAYS", "1,two"),
        ("HOLDFAST_RETRY_DELAYS", "300,-1"),
        ("HOLDFAST_RETRY_DELAYS", "inf"),
        ("HOLDFAST_POSTGRES_DSN", "garbage"),
        ("HOLDFAST_POSTGRES_DSN", "mysql://db/holdfast"),
        ("HOLDFAST_POSTGRES_DSN", "postgresql://db:port/holdfast"),
        ("HOLDFAST_TIMEZONE", "Mars/Base"),
        ("HOLDFAST_LOG_LEVEL", "loud"),
        ("HOLDFAST_HEALTH_LISTEN", "8701x"),
    ],
)
def test_what_will_not_do_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        Settings.from_environment({name: value})


def test_a_postgres_address_that_will_not_do_is_not_repeated() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        Settings.from_environment({"HOLDFAST_POSTGRES_DSN": "db://holdfast:open-sesame@db/x"})

    assert "open-sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "dsn", ["postgres://db/x", "postgresql://u:p@db:5432/x", "postgresql:///x?host=/run"]
)
def test_a_postgres_address_is_taken_as_it_is(dsn: str) -> None:
    assert Settings.from_environment({"HOLDFAST_POSTGRES_DSN": dsn}).postgres_dsn == dsn
