"""The bucket policy, to the letter that a person puts on a bucket."""

import msgspec
import pytest

from holdfast.storage.bucket_policy import bucket_policy

WHO = "arn:aws:iam::123456789012:user/holdfast"


@pytest.mark.parametrize(("prefix", "folder"), [("", ""), ("home/lab", "home/lab/")])
def test_nothing_but_locks_may_be_deleted(prefix: str, folder: str) -> None:
    policy = msgspec.to_builtins(bucket_policy("house", prefix, WHO))
    allowed = {
        action: resource
        for rule in policy["Statement"]
        if rule["Effect"] == "Allow"
        for action in rule["Action"]
        for resource in rule["Resource"]
    }
    (kept,) = (rule for rule in policy["Statement"] if "NotResource" in rule)

    assert policy["Version"] == "2012-10-17"
    assert all(rule["Principal"] == {"AWS": [WHO]} for rule in policy["Statement"])
    assert all(("Resource" in rule) != ("NotResource" in rule) for rule in policy["Statement"])
    assert allowed["s3:DeleteObject"] == f"arn:aws:s3:::house/{folder}locks/*"
    assert allowed["s3:PutObject"] == f"arn:aws:s3:::house/{folder}*"
    assert allowed["s3:ListBucket"] == "arn:aws:s3:::house"
    assert "s3:DeleteObjectVersion" not in allowed
    assert kept["Effect"] == "Deny"
    assert kept["NotResource"] == [f"arn:aws:s3:::house/{folder}locks/*"]
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(kept["Action"])
