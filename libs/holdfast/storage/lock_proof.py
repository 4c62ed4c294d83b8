"""Proving that a bucket's Object Lock holds: a real object, a real attempt to delete it."""

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import uuid4

from holdfast.events.work import LockMode, ObjectLock
from holdfast.storage.errors import AccessDeniedError, StorageError
from holdfast.storage.lock_errors import ObjectLockIneffectiveError, ObjectLockMissingError
from holdfast.storage.s3_errors import error_of
from holdfast.storage.s3_versions import S3Versions, is_refused, status_of
from holdfast.storage.versions import LOCKS, Version, renewal

CANARY = timedelta(minutes=20)
"""More than two clocks may differ in S3, so that it is in the future of the server's too."""


async def prove(objects: S3Versions, lock: ObjectLock, now: datetime) -> None:
    """Lock a small object and try to delete it.

    Raises ObjectLockMissingError, and ObjectLockIneffectiveError when the attempt goes
    through or the lock is not what was asked for.
    """
    await _insist_on_lock(objects)
    key = f"{objects.folder}{LOCKS}/holdfast-canary-{uuid4().hex}"
    version = await objects.put(key, b"canary\n")
    try:
        if not version:
            raise ObjectLockIneffectiveError("The server gave an object no version.")
        canary = Version(key=key, version_id=version, written_at=now, is_latest=True)
        await _attack(objects, canary, lock, now)
    finally:
        await objects.hide(key)


async def _insist_on_lock(objects: S3Versions) -> None:
    from botocore.exceptions import ClientError  # late, as in s3.py

    try:
        answer = await objects.client.get_object_lock_configuration(Bucket=objects.target.bucket)
    except ClientError as error:
        told = error_of(error, objects.target)
        if isinstance(told, AccessDeniedError):
            raise AccessDeniedError(
                guidance="The key that keeps the lock up must be allowed to read it: "
                "s3:GetBucketObjectLockConfiguration.",
                detail=told.detail,
            ) from error
        if type(told) is StorageError or status_of(error) == HTTPStatus.NOT_IMPLEMENTED:
            raise ObjectLockMissingError(detail=told.detail) from error
        raise
    if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
        raise ObjectLockMissingError


async def _attack(objects: S3Versions, canary: Version, lock: ObjectLock, now: datetime) -> None:
    until, mode = now + CANARY, lock.mode.value.upper()
    held = await objects.retention(canary, {})
    # A default of the bucket may hold it already, for longer or in another mode.
    if renewal(held.until, now, days=1) is not None:
        await objects.put_retention(canary, until, held.mode or mode)
        held = await objects.retention(canary, {})
    if held.until is None or held.until < until - timedelta(minutes=1):
        raise ObjectLockIneffectiveError("The server took a retention and did not keep it.")
    if lock.mode is LockMode.COMPLIANCE and held.mode != mode:
        raise ObjectLockIneffectiveError(
            f"The bucket's default retention is {held.mode}, which a key can be allowed to bypass.",
            guidance="Take that default off the bucket or make it COMPLIANCE, or choose "
            "the mode governance.",
        )
    if not await is_refused(objects.remove(canary)):
        raise ObjectLockIneffectiveError(
            "The server says that it has Object Lock, but it deleted a locked version."
        )
    sooner = objects.put_retention(canary, now + CANARY / 2, held.mode)
    if not await is_refused(sooner):
        raise ObjectLockIneffectiveError(
            "The server says that it has Object Lock, but it shortened a retention."
        )
