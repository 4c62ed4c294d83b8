"""The bucket policy under which a key can back up and restore, but not delete.  Pure."""

import msgspec


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One rule of a bucket policy."""

    sid: str
    effect: str
    principal: dict[str, list[str]]
    action: list[str]
    resource: list[str] = []
    not_resource: list[str] = []


class BucketPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """As S3 takes it."""

    version: str = "2012-10-17"
    statement: list[Statement]


def bucket_policy(bucket: str, prefix: str, principal: str) -> BucketPolicy:
    """Get, list and put for *principal* everywhere in the repository, delete below ``locks/``.

    What is denied is denied whatever else the key is allowed to: deleting anything else, and
    all by which it could take the protection off the bucket.  Putting is not denied, so what
    is there can be *overwritten*: only versions (Object Lock) help against that.
    """
    whole = f"arn:aws:s3:::{bucket}"
    folder = f"{whole}/{prefix}/" if prefix else f"{whole}/"
    who = {"AWS": [principal]}
    return BucketPolicy(
        statement=[
            Statement(
                sid="HoldfastEverydayBucket",
                effect="Allow",
                principal=who,
                action=[
                    "s3:ListBucket",
                    "s3:GetBucketLocation",
                    "s3:ListBucketMultipartUploads",
                ],
                resource=[whole],
            ),
            Statement(
                sid="HoldfastEverydayObjects",
                effect="Allow",
                principal=who,
                action=[
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                ],
                resource=[f"{folder}*"],
            ),
            Statement(
                sid="HoldfastEverydayLocks",
                effect="Allow",
                principal=who,
                action=["s3:DeleteObject"],
                resource=[f"{folder}locks/*"],
            ),
            Statement(
                sid="HoldfastKeepData",
                effect="Deny",
                principal=who,
                action=[
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:PutObjectRetention",
                    "s3:PutObjectLegalHold",
                    "s3:BypassGovernanceRetention",
                ],
                not_resource=[f"{folder}locks/*"],
            ),
            Statement(
                sid="HoldfastKeepVersions",
                effect="Deny",
                principal=who,
                action=["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
                resource=[f"{folder}locks/*"],
            ),
            Statement(
                sid="HoldfastKeepBucket",
                effect="Deny",
                principal=who,
                action=[
                    "s3:DeleteBucket",
                    "s3:DeleteBucketPolicy",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketAcl",
                    "s3:PutBucketVersioning",
                    "s3:PutLifecycleConfiguration",
                    "s3:PutBucketObjectLockConfiguration",
                ],
                resource=[whole],
            ),
        ]
    )
