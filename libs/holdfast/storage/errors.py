"""What can be wrong with a destination, each with what to do about it."""

from holdfast.kernel.errors import HoldfastError


class StorageError(HoldfastError):
    """The destination cannot be used."""

    code = "destination_unusable"
    status = 422


class HostNotFoundError(StorageError):
    """The destination's host name is not known."""

    code = "host_not_found"
    guidance = "Check the endpoint for a typing error, and that this machine can resolve names."
    retryable = True


class EndpointRefusedError(StorageError):
    """The destination refuses the connection."""

    code = "connection_refused"
    guidance = "Check the endpoint's host and port, and that the server runs."
    retryable = True


class EndpointTimeoutError(StorageError):
    """The destination does not answer."""

    code = "connection_timeout"
    guidance = "Check the endpoint, the network and any firewall between."
    retryable = True


class EndpointFaultError(StorageError):
    """The destination answers with a fault of its own."""

    code = "endpoint_fault"
    guidance = "Look at the server's own log; it may pass by itself."
    retryable = True


class TlsError(StorageError):
    """The destination's certificate is not trusted, or it does not speak TLS."""

    code = "tls_failed"
    guidance = "Check the certificate, or write the endpoint with http:// if it has no TLS."


class BadCredentialsError(StorageError):
    """The destination does not accept the access key or its secret."""

    code = "bad_credentials"
    guidance = "Check the access key and the secret key."


class HostKeyChangedError(StorageError):
    """The server shows another host key than the pinned one."""

    code = "host_key_changed"
    guidance = (
        "Nothing was sent to it. If the server was set up anew, give its new host_key; "
        "if not, somebody may be in between."
    )


class HostKeyInvalidError(StorageError):
    """The given host key cannot be read."""

    code = "host_key_invalid"
    guidance = "Give a public key such as 'ssh-ed25519 AAAA…', or its 'SHA256:…' fingerprint."


class PrivateKeyError(StorageError):
    """The private key cannot be read."""

    code = "private_key_unreadable"
    guidance = "Give the whole private key in OpenSSH's form, and its passphrase if it has one."


class NotSshError(StorageError):
    """There is no SSH server at this address."""

    code = "not_ssh"
    guidance = "Check the host and the port: something else may be there."


class JumpRefusedError(StorageError):
    """The machine in between passes no connections on."""

    code = "jump_refused"
    guidance = "Set 'AllowTcpForwarding yes' (or 'local') for this user in its sshd_config."


class SftpOffError(StorageError):
    """The server offers no SFTP."""

    code = "sftp_off"
    guidance = "Switch SFTP on at the server: in sshd_config, 'Subsystem sftp internal-sftp'."


class ConnectionLostError(StorageError):
    """The destination broke the connection off."""

    code = "connection_lost"
    guidance = (
        "It may have restarted, or allow no more connections, or be no such server at all; "
        "look at its own log."
    )
    retryable = True


class NotStorageError(StorageError):
    """The endpoint answers, but it is no S3 storage."""

    code = "not_s3"
    guidance = "Check the endpoint's host and port: a web page or console may be there instead."


class ClockSkewError(StorageError):
    """This machine's clock and the destination's differ too much."""

    code = "clock_skew"
    guidance = "Set this machine's clock, best by NTP."
    retryable = True


class NoSuchBucketError(StorageError):
    """There is no such bucket."""

    code = "no_such_bucket"
    guidance = "Create the bucket first, or check its name."


class WrongRegionError(StorageError):
    """The bucket is in another region."""

    code = "wrong_region"
    guidance = "Set the region that the bucket is in."


class AccessDeniedError(StorageError):
    """The access key may not do what a backup needs."""

    code = "access_denied"
    guidance = (
        "It must be allowed to list, read and write below the repository's prefix, and to delete "
        "there, or below its locks/ at least if another key does all that deletes."
    )


class PathMissingError(StorageError):
    """The destination's path is not there."""

    code = "path_missing"
    guidance = "Is the disk or share mounted?"
    retryable = True


class PathNotDirectoryError(StorageError):
    """The destination's path is not a directory."""

    code = "path_not_a_directory"
    guidance = "Name a directory."


class PathNotWritableError(StorageError):
    """The destination's path cannot be written to."""

    code = "path_not_writable"
    guidance = "Check its owner and mode, and that it is not mounted read-only."


class StorageFullError(StorageError):
    """There is no space left at the destination."""

    code = "destination_full"
    guidance = "Free some space or raise the quota; then prune the destination."


class PathUnreadableError(StorageError):
    """The destination's path cannot be read."""

    code = "path_unreadable"
    guidance = "Check the disk or share, and the owner and mode; nothing was changed."
    retryable = True


class ForeignRepositoryError(StorageError):
    """A repository is there already, and the password does not open it."""

    code = "foreign_repository"
    guidance = "Give its own password as repo_password to take it over, or name another place."
    status = 409


class DebrisError(StorageError):
    """Parts of a repository are there, but not its config file."""

    code = "repository_damaged"
    guidance = (
        "It may be a damaged repository, so nothing was changed. Bring its config file back, "
        "or name another place."
    )
    status = 409


class NotJustInitialisedError(StorageError):
    """The repository holds data, so its initialisation is not undone."""

    code = "repository_holds_data"
    guidance = "Take it over with its own password, or name another place."
    status = 409
