"""What a probe that somebody died of means for those that come after: nothing."""

from pathlib import Path

import pytest

from holdfast.kernel.secret import Secret
from holdfast.storage.base import S3Target
from holdfast.storage.s3 import OURS, S3Backend
from support.servers import RcloneS3

pytestmark = pytest.mark.s3


@pytest.fixture
def folder(s3_server: RcloneS3) -> Path:
    s3_server.make_bucket("left-probe")
    folder = s3_server.data / "left-probe" / "house"
    (folder / "locks").mkdir(parents=True)
    return folder


async def test_a_probe_that_was_left_is_no_part_of_a_repository(
    s3_server: RcloneS3, folder: Path
) -> None:
    backend = S3Backend(
        S3Target(
            endpoint=s3_server.endpoint,
            bucket="left-probe",
            region="us-east-1",
            prefix="house",
            access_key=Secret(s3_server.access_key),
            secret_key=Secret(s3_server.secret_key),
        )
    )
    (folder / f"{OURS}probe-0123").write_bytes(b"left")
    assert not (await backend.probe(write=True)).has_parts
    assert await backend.list_locks() == ()

    (folder / "locks" / ("ab" * 32)).write_bytes(b"a lock")
    assert (await backend.probe(write=False)).has_parts
    assert await backend.list_locks() == ("ab" * 32,)
