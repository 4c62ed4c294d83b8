"""By cause: what is worth another try, what is told at once, and what a person can do."""

from typing import Any

import pytest

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.restic import errors as restic
from holdfast.storage import errors as storage
from holdfast.storage.base import S3Target
from holdfast.storage.s3_errors import error_of

PASSES = {
    # the network, 5xx, timeouts, a machine under pressure, somebody else's lock, a disk away
    restic.RepositoryLockedError,
    restic.ResticInterruptedError,
    restic.ResticKilledError,
    restic.UnreachableError,
    storage.HostNotFoundError,
    storage.EndpointRefusedError,
    storage.EndpointTimeoutError,
    storage.EndpointFaultError,
    storage.ClockSkewError,
    storage.ConnectionLostError,
    storage.PathMissingError,
    storage.PathUnreadableError,
}

STAYS = {
    # no time heals these: a person is told at once
    restic.ResticFailedError,
    restic.ResticOutputError,
    restic.RepositoryNotFoundError,
    restic.RepositoryExistsError,
    restic.WrongPasswordError,
    restic.NoSpaceError,
    restic.SourceMissingError,
    restic.SnapshotNotFoundError,
    restic.PathNotFoundError,
    restic.AccessDeniedError,
    restic.RepositoryDamagedError,
    restic.EmptyDumpError,
    restic.RestoreIncompleteError,
    restic.RestoreUnverifiedError,
    storage.TlsError,
    storage.BadCredentialsError,
    storage.NotStorageError,
    storage.NoSuchBucketError,
    storage.WrongRegionError,
    storage.AccessDeniedError,
    storage.PathNotDirectoryError,
    storage.PathNotWritableError,
    storage.StorageFullError,
    storage.ForeignRepositoryError,
    storage.DebrisError,
    storage.NotJustInitialisedError,
    storage.HostKeyChangedError,
    storage.HostKeyInvalidError,
    storage.PrivateKeyError,
    storage.NotSshError,
    storage.SftpOffError,
    storage.JumpRefusedError,
}


def kinds(module: Any, base: type[HoldfastError]) -> set[type[HoldfastError]]:
    return {
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, base) and each is not base
    }


def test_every_cause_is_decided() -> None:
    every = kinds(restic, restic.ResticError) | kinds(storage, storage.StorageError)

    assert every == PASSES | STAYS
    assert not PASSES & STAYS


@pytest.mark.parametrize("kind", sorted(PASSES | STAYS, key=lambda each: each.__qualname__))
def test_only_what_may_pass_is_tried_again(kind: type[HoldfastError]) -> None:
    assert kind.retryable is (kind in PASSES)


@pytest.mark.parametrize("kind", sorted(PASSES | STAYS, key=lambda each: each.__qualname__))
def test_every_cause_says_what_a_person_can_do(kind: type[HoldfastError]) -> None:
    sentence = (kind.__doc__ or "").strip().splitlines()[0]

    assert sentence.endswith(".")
    if kind is not restic.RestoreIncompleteError:
        assert kind.guidance


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Save(<data/1>) failed: 503 Service Unavailable", restic.UnreachableError),
        ("Stat: We encountered an internal error. Please try again.", restic.UnreachableError),
        ("Fatal: unable to open config file: 502 Bad Gateway", restic.UnreachableError),
        ("SlowDown: Please reduce your request rate.", restic.UnreachableError),
        ("net/http: TLS handshake timeout", restic.UnreachableError),
        ("context deadline exceeded", restic.UnreachableError),
        ("read tcp: connection reset by peer", restic.UnreachableError),
        ("write: broken pipe", restic.UnreachableError),
        ("unexpected EOF", restic.UnreachableError),
        ("unable to start the sftp session: file already closed", restic.UnreachableError),
        ("holdfast-sftp: connection_lost: nas broke off", restic.UnreachableError),
        ("Save(<data/1>) failed: ssh command exited: exit status 1", restic.UnreachableError),
        ("holdfast-sftp: bad_credentials: no entry", restic.AccessDeniedError),
        ("holdfast-sftp: host_key_changed: another", restic.AccessDeniedError),
        ("write /mnt/nas/data/ab: no space left on device", restic.NoSpaceError),
        ("XMinioStorageFull: Storage backend has reached its limit", restic.NoSpaceError),
        ("The request signature we calculated does not match", restic.AccessDeniedError),
        ("403 Forbidden", restic.AccessDeniedError),
        ("Fatal: wrong password or no key found", restic.WrongPasswordError),
        ("something that nobody has seen before", restic.ResticFailedError),
    ],
)
def test_restics_words_tell_the_cause_and_are_kept(
    words: str, kind: type[restic.ResticError]
) -> None:
    error = restic.error_of(1, [words])

    assert type(error) is kind
    assert error.detail == words


def test_what_the_bridge_to_a_server_says_is_the_message() -> None:
    words = "subprocess python: holdfast-sftp: host_key_changed: nas shows another key."

    error = restic.error_of(1, [words, "Fatal: unable to open repository"])

    assert error.message == "nas shows another key."


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", storage.EndpointFaultError),
        (502, "", storage.EndpointFaultError),
        (503, "SlowDown", storage.EndpointFaultError),
        (408, "RequestTimeout", storage.EndpointFaultError),
        (429, "TooManyRequests", storage.EndpointFaultError),
        (507, "XMinioStorageFull", storage.StorageFullError),
        (403, "QuotaExceeded", storage.StorageFullError),
        (403, "InvalidAccessKeyId", storage.BadCredentialsError),
        (403, "AccessDenied", storage.AccessDeniedError),
        (404, "NoSuchBucket", storage.NoSuchBucketError),
    ],
)
def test_what_storage_answers_tells_the_cause(
    status: int, code: str, kind: type[storage.StorageError]
) -> None:
    from botocore.exceptions import ClientError

    target = S3Target(
        endpoint="s3.example",
        bucket="b",
        region="r",
        access_key=Secret("a"),
        secret_key=Secret("s"),
    )
    answer: Any = {
        "Error": {"Code": code, "Message": "its own words"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }

    error = error_of(ClientError(answer, "PutObject"), target)

    assert type(error) is kind
    assert "its own words" in error.detail
