"""What can be wrong with a bucket's object lock, each with what to do about it."""

from holdfast.storage.errors import StorageError


class NotVersionedError(StorageError):
    """The bucket keeps no versions of its objects."""

    code = "not_versioned"
    guidance = "What was deleted or overwritten there is gone; nothing was changed."


class ObjectLockMissingError(StorageError):
    """The bucket has no Object Lock."""

    code = "object_lock_missing"
    guidance = (
        "Make a new bucket with Object Lock (most services allow it only when the bucket is "
        "made), or add this one without object_lock."
    )


class ObjectLockIneffectiveError(StorageError):
    """The server says that it locks objects, but it does not."""

    code = "object_lock_ineffective"
    guidance = (
        "Nothing was added, for it would protect from nothing. Use a service that keeps its "
        "word, or add it without object_lock and protect the destination in another way."
    )


class RepositoryOverwrittenError(StorageError):
    """Objects of the repository were replaced by something else."""

    code = "repository_overwritten"
    guidance = (
        "Somebody else has the keys of this bucket: replace them at once. Then bring the "
        "repository back with undelete, from a time before it happened."
    )
