"""S3 Object Lock on a real Ceph gateway: proved, kept up, swept, and undone after an attack."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from holdfast.events.work import LockMode, ObjectLock
from holdfast.kernel.secret import Secret
from holdfast.storage.base import S3Target
from holdfast.storage.bucket_policy import bucket_policy
from holdfast.storage.errors import AccessDeniedError, NoSuchBucketError
from holdfast.storage.lock_errors import (
    NotVersionedError,
    ObjectLockIneffectiveError,
    ObjectLockMissingError,
)
from holdfast.storage.s3 import S3Backend
from holdfast.storage.s3_lock import Protected, S3Vault
from holdfast.storage.s3_versions import Ledger
from support.radosgw import Radosgw, User
from support.servers import RcloneS3

pytestmark = pytest.mark.radosgw

GOVERNANCE = ObjectLock(mode=LockMode.GOVERNANCE, days=30)
COMPLIANCE = ObjectLock(mode=LockMode.COMPLIANCE, days=30)


def now() -> datetime:
    return datetime.now(UTC)


def later(**delta: float) -> Callable[[], datetime]:
    return lambda: now() + timedelta(**delta)


def backend(server: Any, bucket: str, user: User | None = None, prefix: str = "lab") -> S3Backend:
    who = user or getattr(server, "owner", server)
    return S3Backend(
        S3Target(
            endpoint=server.endpoint,
            bucket=bucket,
            region="us-east-1",
            prefix=prefix,
            access_key=Secret(who.access_key),
            secret_key=Secret(who.secret_key),
        )
    )


class Bucket:
    """A bucket with Object Lock, and a repository's objects in it, as far as names go."""

    def __init__(self, server: Radosgw, *, lock: bool = True) -> None:
        self.server = server
        self.client = server.client()
        self.name = server.bucket(lock=lock)
        self.vault = S3Vault(backend(server, self.name))
        self.ledger: Ledger = {}

    def put(self, part: str, content: bytes, name: str = "") -> str:
        """An object that is named by its content, unless it is given a name."""
        digest = name or hashlib.sha256(content).hexdigest()
        middle = f"{digest[:2]}/" if part == "data" else ""
        key = "lab/config" if part == "config" else f"lab/{part}/{middle}{digest}"
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return key

    def read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def delete(self, key: str, version: str = "") -> None:
        more = {"VersionId": version} if version else {}
        self.client.delete_object(Bucket=self.name, Key=key, **more)

    def versions(self, key: str) -> list[str]:
        found = self.server.versions(self.name, key)
        return [each["VersionId"] for each in found if each["Key"] == key]

    def held(self, key: str, version: str = "") -> tuple[str, datetime] | None:
        more = {"VersionId": version} if version else {}
        head = self.client.head_object(Bucket=self.name, Key=key, **more)
        if "ObjectLockMode" not in head:
            return None
        return head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]

    def retain(self, key: str, until: datetime, mode: str = "GOVERNANCE") -> None:
        (version,) = self.versions(key)
        self.client.put_object_retention(
            Bucket=self.name,
            Key=key,
            VersionId=version,
            Retention={"Mode": mode, "RetainUntilDate": until},
        )

    async def keep_up(
        self, lock: ObjectLock = GOVERNANCE, at: Callable[[], datetime] = now
    ) -> Protected:
        return await self.vault.keep_up(lock, at, self.ledger)


@pytest.fixture
def bucket(radosgw: Radosgw) -> Bucket:
    return Bucket(radosgw)


# ---- proving


@pytest.mark.parametrize("lock", [GOVERNANCE, COMPLIANCE], ids=["governance", "compliance"])
async def test_a_real_lock_is_proved_and_leaves_nothing_in_sight(
    bucket: Bucket, lock: ObjectLock
) -> None:
    await bucket.vault.prove(lock, now())

    assert bucket.server.keys(bucket.name) == []
    (canary,) = bucket.server.versions(bucket.name)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.delete(canary["Key"], canary["VersionId"])


@pytest.mark.parametrize("versioned", [False, True])
async def test_a_bucket_without_lock_is_refused(radosgw: Radosgw, versioned: bool) -> None:
    vault = S3Vault(backend(radosgw, radosgw.bucket(versioned=versioned)))

    with pytest.raises(ObjectLockMissingError):
        await vault.prove(GOVERNANCE, now())


async def test_a_bucket_that_is_not_there_is_told_as_such(radosgw: Radosgw) -> None:
    with pytest.raises(NoSuchBucketError):
        await S3Vault(backend(radosgw, "no-such-bucket")).prove(GOVERNANCE, now())


async def test_a_default_of_the_bucket_that_is_weaker_than_wished_is_told(bucket: Bucket) -> None:
    default = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    bucket.client.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": default},
    )

    await bucket.vault.prove(GOVERNANCE, now())
    with pytest.raises(ObjectLockIneffectiveError, match="default"):
        await bucket.vault.prove(COMPLIANCE, now())


async def test_a_server_that_only_says_it_locks_is_found_out(radosgw: Radosgw) -> None:
    """Its owner's right to bypass, always used, makes of Ceph one that deletes all the same."""
    bucket = Bucket(radosgw)
    liar = _Bypassing(backend(radosgw, bucket.name).target)

    with pytest.raises(ObjectLockIneffectiveError, match="deleted a locked version"):
        await S3Vault(liar).prove(GOVERNANCE, now())
    # In the other mode there is nothing to bypass.
    await S3Vault(liar).prove(COMPLIANCE, now())


async def test_rclone_which_answers_200_to_anything_is_found_out(s3_server: RcloneS3) -> None:
    s3_server.make_bucket("says-yes")

    with pytest.raises(ObjectLockMissingError):
        await S3Vault(backend(s3_server, "says-yes")).prove(GOVERNANCE, now())


# ---- keeping up


async def test_all_but_locks_is_retained_and_nobody_deletes_it(bucket: Bucket) -> None:
    keys = [bucket.put(part, part.encode()) for part in ("data", "index", "snapshots", "keys")]
    keys.append(bucket.put("config", b"config"))
    lock = bucket.put("locks", b"a lock")
    other = bucket.put("photos", b"somebody else's")

    done = await bucket.keep_up(COMPLIANCE)

    assert (done.retained, done.renewed, done.overwritten) == (5, 5, ())
    for key in keys:
        held = bucket.held(key)
        assert held is not None
        assert held[0] == "COMPLIANCE"
        assert abs(held[1] - now() - timedelta(days=30)) < timedelta(minutes=5)
        with pytest.raises(ClientError, match="AccessDenied"):
            bucket.delete(key, bucket.versions(key)[0])
    assert bucket.held(lock) is None
    assert bucket.held(other) is None


async def test_it_is_renewed_when_less_than_half_is_left_and_not_before(bucket: Bucket) -> None:
    key = bucket.put("data", b"old")
    await bucket.keep_up()

    assert (await bucket.keep_up(at=later(days=14))).renewed == 0
    assert (await bucket.keep_up(at=later(days=16))).renewed == 1
    held = bucket.held(key)
    assert held is not None
    assert abs(held[1] - now() - timedelta(days=46)) < timedelta(minutes=5)


async def test_without_its_ledger_it_asks_and_does_nothing_twice(bucket: Bucket) -> None:
    bucket.put("data", b"old")
    await bucket.keep_up()
    assert len(bucket.ledger) == 1
    bucket.ledger.clear()

    assert (await bucket.keep_up()).renewed == 0
    assert len(bucket.ledger) == 1


async def test_what_a_default_or_a_person_retains_for_longer_stays_so(bucket: Bucket) -> None:
    key = bucket.put("data", b"kept")
    until = now() + timedelta(days=99)
    bucket.retain(key, until, "COMPLIANCE")

    done = await bucket.keep_up()

    assert (done.retained, done.renewed) == (1, 0)
    assert bucket.held(key) == ("COMPLIANCE", until)


async def test_a_mode_that_is_there_already_is_renewed_in_it(bucket: Bucket) -> None:
    key = bucket.put("data", b"kept")
    bucket.retain(key, now() + timedelta(days=1), "GOVERNANCE")

    assert (await bucket.keep_up(COMPLIANCE)).renewed == 1
    held = bucket.held(key)
    assert held is not None
    assert held[0] == "GOVERNANCE"


async def test_more_than_a_page_of_objects(bucket: Bucket) -> None:
    """Two versions of each name and one more of the first, so that a name is on two pages."""
    names = sorted(hashlib.sha256(b"%d" % number).hexdigest() for number in range(501))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: bucket.put("data", b"same", name), [*names, *names]))
    bucket.put("data", b"same", names[0])

    first = await bucket.keep_up()

    assert (first.retained, first.renewed, first.overwritten) == (501, 501, ())
    assert (await bucket.keep_up()).renewed == 0


# ---- sweeping


async def test_what_was_deleted_goes_when_its_time_and_its_retention_are_over(
    bucket: Bucket,
) -> None:
    pruned, fresh = bucket.put("data", b"pruned"), bucket.put("data", b"locked for longer")
    bucket.retain(fresh, now() + timedelta(days=90))
    for key in (pruned, fresh):
        bucket.delete(key)

    for days in (0, 29):
        assert (await bucket.keep_up(at=later(days=days))).swept == 0
    done = await bucket.keep_up(at=later(days=31))

    assert (done.swept, done.swept_bytes) == (1, len(b"pruned"))
    listed = bucket.client.list_object_versions(Bucket=bucket.name)
    assert [each["Key"] for each in listed["Versions"]] == [fresh]
    assert [each["Key"] for each in listed["DeleteMarkers"]] == [fresh]


async def test_old_locks_are_swept_at_once_and_living_ones_are_not(bucket: Bucket) -> None:
    living, dead = bucket.put("locks", b"living"), bucket.put("locks", b"dead")
    bucket.delete(dead)

    assert (await bucket.keep_up()).swept == 1
    assert [each["Key"] for each in bucket.server.versions(bucket.name)] == [living]


async def test_what_the_server_holds_for_longer_than_we_knew_is_left_alone(bucket: Bucket) -> None:
    key = bucket.put("data", b"pruned")
    bucket.retain(key, now() + timedelta(days=90))
    bucket.delete(key)
    await bucket.keep_up(at=later(days=31))  # now the ledger knows of 90 days
    (known,) = (id for id in bucket.ledger if key in id)
    bucket.ledger[known] = type(bucket.ledger[known])(now(), "GOVERNANCE")

    assert (await bucket.keep_up(at=later(days=31))).swept == 0


async def test_a_key_that_may_not_sweep_says_so(bucket: Bucket) -> None:
    everyday = bucket.server.subuser(bucket.server.owner)
    policy = bucket_policy(bucket.name, "lab", everyday.principal)
    bucket.server.put_policy(bucket.name, json.loads(_encoded(policy)))
    bucket.delete(bucket.put("locks", b"dead"))
    vault = S3Vault(backend(bucket.server, bucket.name, everyday))

    done = await vault.keep_up(GOVERNANCE, now, {})

    assert isinstance(done.sweep_refused, AccessDeniedError)
    assert "Old versions" in str(done.sweep_refused)


# ---- after an attack


async def test_what_was_deleted_stands_again(bucket: Bucket) -> None:
    keys = [bucket.put(part, part.encode()) for part in ("data", "index", "snapshots", "config")]
    before = now()
    for key in keys:
        bucket.delete(key)

    done = await bucket.vault.undelete(before)

    assert len(done.restored) == 4
    assert sorted(bucket.server.keys(bucket.name)) == sorted(keys)
    again = await bucket.vault.undelete(before)
    assert (again.restored, again.hidden) == ((), 0)


async def test_what_was_overwritten_stands_again_although_the_new_is_locked(
    bucket: Bucket,
) -> None:
    key, config = bucket.put("data", b"good"), bucket.put("config", b"config")
    before = now()
    for each in (key, config):
        bucket.client.put_object(Bucket=bucket.name, Key=each, Body=b"encrypted, pay us")
    bucket.delete(key)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"and again")
    found = await bucket.keep_up(COMPLIANCE)
    assert sorted(found.overwritten) == ["config", key.removeprefix("lab/")]

    await bucket.vault.undelete(before)

    assert (bucket.read(key), bucket.read(config)) == (b"good", b"config")
    assert (await bucket.vault.undelete(before)).restored == ()
    # It is whole again, so it is not told of for ever, and the rubbish goes in time.
    assert (await bucket.keep_up(COMPLIANCE)).overwritten == ()


async def test_a_time_that_is_too_late_still_finds_what_fits_its_name(bucket: Bucket) -> None:
    key = bucket.put("data", b"good")
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"rubbish")

    await bucket.vault.undelete(now() + timedelta(minutes=1))

    assert bucket.read(key) == b"good"


async def test_a_time_before_everything_takes_nothing_away(bucket: Bucket) -> None:
    keys = [bucket.put(part, part.encode()) for part in ("data", "keys", "locks", "config")]

    done = await bucket.vault.undelete(now() - timedelta(days=1))

    assert (done.restored, done.hidden) == ((), 0)
    assert sorted(bucket.server.keys(bucket.name)) == sorted(keys)


async def test_broken_off_at_any_point_the_next_one_does_the_rest(bucket: Bucket) -> None:
    keys = [bucket.put("data", b"%d" % number) for number in range(40)]
    before = now()
    for number, key in enumerate(keys):
        if number % 2:
            bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"rubbish")
        bucket.delete(key)

    for seconds in (0.1, 0.2, 0.3, 0.4, 0.5):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await bucket.vault.undelete(before)
    await bucket.vault.undelete(before)

    assert [bucket.read(key) for key in keys] == [b"%d" % number for number in range(40)]


async def test_what_came_after_is_kept_if_it_is_sound_and_hidden_if_not(bucket: Bucket) -> None:
    before = now()
    made, lost = bucket.put("data", b"a backup since"), bucket.put("index", b"deleted since")
    rubbish = [
        bucket.put(part, b"rubbish", hashlib.sha256(part.encode()).hexdigest())
        for part in ("index", "locks")
    ]
    bucket.delete(lost)

    done = await bucket.vault.undelete(before)

    assert (done.restored, done.hidden) == ((lost.removeprefix("lab/"),), 2)
    assert sorted(bucket.server.keys(bucket.name)) == sorted([made, lost])
    assert not set(rubbish) & set(bucket.server.keys(bucket.name))


async def test_what_was_pruned_before_stays_so(bucket: Bucket) -> None:
    bucket.delete(bucket.put("data", b"pruned"))
    before = now()

    done = await bucket.vault.undelete(before)

    assert done.restored == ()
    assert bucket.server.keys(bucket.name) == []


async def test_nothing_that_an_attack_replaced_is_swept(bucket: Bucket) -> None:
    """Whoever waits until the retention is over must not have Holdfast do the rest."""
    key = bucket.put("data", b"good")
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"rubbish")

    done = await bucket.keep_up(at=later(days=400))

    assert (done.swept, done.retained, done.overwritten) == (0, 2, (key.removeprefix("lab/"),))


async def test_the_same_content_written_twice_is_no_attack(bucket: Bucket) -> None:
    key = bucket.put("data", b"good")
    bucket.put("data", b"good")

    done = await bucket.keep_up(at=later(days=31))

    assert (done.overwritten, done.swept, bucket.read(key)) == ((), 1, b"good")


async def test_a_bucket_without_versions_has_nothing_to_bring_back(radosgw: Radosgw) -> None:
    with pytest.raises(NotVersionedError):
        await S3Vault(backend(radosgw, radosgw.bucket())).undelete(now())


class _Bypassing(S3Backend):
    """Every request carries the wish to bypass governance."""

    def connect(self) -> Any:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def connected() -> Any:
            async with super(_Bypassing, self).connect() as client:

                def bypass(params: Any, **_: Any) -> None:
                    params["headers"]["x-amz-bypass-governance-retention"] = "true"

                client.meta.events.register("before-call.s3.DeleteObject", bypass)
                yield client

        return connected()


def _encoded(policy: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(policy)
