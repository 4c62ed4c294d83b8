"""What went wrong in restic, from its exit code and its last words."""

import re
import signal
from collections.abc import Sequence

from holdfast.kernel.errors import HoldfastError


class ResticError(HoldfastError):
    """restic did not do what was asked.

    ``detail`` holds restic's own words.
    """

    code = "restic_failed"

    def __init__(
        self, message: str = "", *, guidance: str = "", detail: str = "", exit_code: int = 1
    ) -> None:
        super().__init__(message, guidance=guidance, detail=detail)
        self.exit_code = exit_code


class ResticFailedError(ResticError):
    """restic failed."""

    guidance = "restic's own words are in the detail of the run."


class ResticOutputError(ResticError):
    """restic answered in a way that is not understood."""

    code = "restic_output"
    guidance = "This version of restic may be too new or too old; 'holdfast doctor' tells."


class RepositoryNotFoundError(ResticError):
    """There is no repository at this address."""

    code = "repository_not_found"
    guidance = "Check the address and path, or initialise the destination."
    status = 404


class RepositoryExistsError(ResticError):
    """There is a repository at this address already."""

    code = "repository_exists"
    guidance = "Adopt it with its password, or choose another path."
    status = 409


class RepositoryLockedError(ResticError):
    """Another process holds the repository's lock."""

    code = "repository_locked"
    guidance = "Wait for the other run. If none is running, unlock the destination."
    retryable = True
    status = 409


class WrongPasswordError(ResticError):
    """The password does not open the repository."""

    code = "wrong_password"
    guidance = "Enter the password the repository was made with."


class ResticInterruptedError(ResticError):
    """restic was asked to end before it was done."""

    code = "restic_interrupted"
    guidance = "Start it again, unless it was ended on purpose."
    retryable = True


class ResticKilledError(ResticError):
    """restic was killed, most often because the machine ran out of memory."""

    code = "restic_killed"
    guidance = "See the machine's kernel log; give it more memory, or lower the concurrency."
    retryable = True


class NoSpaceError(ResticError):
    """There is no space left to write to."""

    code = "no_space"
    guidance = "Free some space or raise the quota; then prune the destination."


class SourceMissingError(ResticError):
    """None of the files and directories to back up exists."""

    code = "source_missing"
    guidance = "Check the configured paths, and that their disk or volume is mounted."


class SnapshotNotFoundError(ResticError):
    """The repository has no such snapshot."""

    code = "snapshot_not_found"
    guidance = "It may have been forgotten; list the destination's snapshots."
    status = 404


class PathNotFoundError(ResticError):
    """The snapshot has no such file or directory."""

    code = "path_not_found"
    guidance = "Name the path exactly as the snapshot lists it."
    status = 404


class AccessDeniedError(ResticError):
    """The destination refuses these credentials."""

    code = "access_denied"
    guidance = (
        "Check access key, secret and their permissions, or the directory's owner. To forget and "
        "prune, a key that may delete is needed: the destination's maintenance key."
    )


class UnreachableError(ResticError):
    """The destination does not answer."""

    code = "destination_unreachable"
    guidance = "Check the address, the network and that the server is running."
    retryable = True


class RepositoryDamagedError(ResticError):
    """Data in the repository is missing or damaged."""

    code = "repository_damaged"
    guidance = (
        "Other snapshots can be restored. See docs/checking.md: repair it, then check it again."
    )


class EmptyDumpError(ResticError):
    """The command to back up wrote nothing."""

    code = "empty_dump"
    guidance = "Run the command by hand; its output is what is backed up."

    def __init__(self, snapshot_id: str, *, detail: str) -> None:
        super().__init__(detail=detail, exit_code=3)
        self.snapshot_id = snapshot_id
        """The empty snapshot that restic made all the same, to be forgotten."""


class RestoreIncompleteError(ResticError):
    """Some files could not be restored; the others are in place."""

    code = "restore_incomplete"
    guidance = "The files are named in the run; check the repository and the target's permissions."

    def __init__(self, failed_files: Sequence[str], failed_count: int, *, detail: str) -> None:
        super().__init__(f"{failed_count} files could not be restored.", detail=detail)
        self.failed_files = tuple(failed_files)
        self.failed_count = failed_count


class RestoreUnverifiedError(RestoreIncompleteError):
    """Read again, some files are not what was written."""

    code = "restore_unverified"
    guidance = "The files are named in the run; check the disk that they were restored to."


BY_CODE: dict[int, type[ResticError]] = {
    10: RepositoryNotFoundError,
    11: RepositoryLockedError,
    12: WrongPasswordError,
    130: ResticInterruptedError,
    128 + signal.SIGTERM: ResticInterruptedError,
    -signal.SIGINT: ResticInterruptedError,
    -signal.SIGTERM: ResticInterruptedError,
    128 + signal.SIGKILL: ResticKilledError,
    -signal.SIGKILL: ResticKilledError,
}

BY_WORDS: tuple[tuple[type[ResticError], str], ...] = (
    (NoSpaceError, r"no space left on device|disk quota exceeded|quotaexceeded|storagefull"),
    (SourceMissingError, r"all (source|target) directories/files do not exist"),
    (SnapshotNotFoundError, r"no matching id found|no snapshot found"),
    (PathNotFoundError, r"not found in snapshot|\bpath .*: not found"),
    (RepositoryExistsError, r"config file already exists|config already initialized"),
    (WrongPasswordError, r"wrong password or no key found"),
    (RepositoryLockedError, r"repository is already locked"),
    (RepositoryNotFoundError, r"repository does not exist|is there a repository at the following"),
    (
        AccessDeniedError,
        r"access ?denied|permission denied|signaturedoesnotmatch|invalidaccesskeyid"
        r"|request signature we calculated does not match|no valid credentials"
        r"|holdfast-sftp: (bad_credentials|host_key)"
        r"|unable to authenticate|401 unauthorized|403 forbidden",
    ),
    (
        UnreachableError,
        r"connection (refused|reset|timed out)|no such host|network is unreachable"
        r"|no route to host|i/o timeout|tls handshake timeout|deadline exceeded"
        r"|broken pipe|unexpected eof|request ?timeout|too many requests|slow ?down"
        r"|reduce your request rate|internal ?(server)? ?error|bad gateway|gateway time-?out"
        r"|service ?unavailable|holdfast-sftp: |ssh command exited|sftp: connection lost"
        r"|unable to start the sftp session",
    ),
    (
        RepositoryDamagedError,
        r"ciphertext verification failed|repository contains errors|not found in index"
        r"|does not match expected id",
    ),
    # A backup that was asked to end says so only in words.  The last, because restic also
    # cancels its other workers when one of them meets any of the above.
    (ResticInterruptedError, r"context canceled|signal interrupt received"),
)
"""What restic says in lower case, by which code 1 is told apart; the first that fits counts."""


BRIDGE = re.compile(r"holdfast-sftp: \w+: (.+)")
"""What the bridge to an SFTP server says before it ends: its error's code and message."""


def error_of(exit_code: int, stderr: Sequence[str]) -> ResticError:
    """The error behind a failed call.

    Code 1 means any of many things, so restic's words decide there; a code that is not
    known is a failure as well.  *stderr* is the tail of what restic wrote, oldest first.
    """
    detail = "\n".join(stderr)
    kind = BY_CODE.get(exit_code) or _by_words(detail.lower()) or ResticFailedError
    bridge = BRIDGE.search(detail)
    return kind(bridge[1] if bridge else "", detail=detail, exit_code=exit_code)


def _by_words(words: str) -> type[ResticError] | None:
    for kind, pattern in BY_WORDS:
        if re.search(pattern, words):
            return kind
    return None
