"""What each version of restic can do."""

import re
from enum import StrEnum

import msgspec

from holdfast.kernel.errors import HoldfastError


class Version(msgspec.Struct, frozen=True, order=True):
    """A version of restic."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


OLDEST = Version(0, 17)
"""Before it, exit codes do not tell a locked repository from a wrong password."""


class Feature(StrEnum):
    """Something that not every version has."""

    EXIT_CODES = "exit codes 10 and 11"
    EXIT_CODE_12 = "exit code 12 for a wrong password"
    INCLUDE_FILE = "restore --include-file"
    RESTORE_OVERWRITE = "restore --overwrite"
    RESTORE_DRY_RUN = "restore --dry-run"
    SKIP_IF_UNCHANGED = "backup --skip-if-unchanged"
    STDIN_FROM_COMMAND = "backup --stdin-from-command"
    JSON_EXIT_ERRORS = "exit errors as JSON"
    CHECK_JSON = "check --json"
    MISSING_SOURCE_IS_PARTIAL = "exit code 3 for a missing source"


SINCE: dict[Feature, Version] = {
    Feature.EXIT_CODES: Version(0, 17),
    Feature.EXIT_CODE_12: Version(0, 17, 1),
    Feature.INCLUDE_FILE: Version(0, 17),
    Feature.RESTORE_OVERWRITE: Version(0, 17),
    Feature.RESTORE_DRY_RUN: Version(0, 17),
    Feature.SKIP_IF_UNCHANGED: Version(0, 17),
    Feature.STDIN_FROM_COMMAND: Version(0, 17),
    Feature.JSON_EXIT_ERRORS: Version(0, 18),
    Feature.CHECK_JSON: Version(0, 18),
    Feature.MISSING_SOURCE_IS_PARTIAL: Version(0, 19),
}
"""The first version that has it."""


class UnsupportedVersionError(HoldfastError):
    """This version of restic is too old."""

    code = "restic_too_old"
    guidance = "Install a newer restic, or let Holdfast bring its own."


def parse_version(text: str) -> Version:
    """The version in *text*, as ``restic 0.18.0 compiled with go1.24`` or ``0.18.1-dev``.

    Raises UnsupportedVersionError when there is none in it.
    """
    match = re.search(r"\b(\d+)\.(\d+)(?:\.(\d+))?", text.replace("go1.", "go "))
    if match is None:
        raise UnsupportedVersionError(
            "This program does not tell a version of restic.", detail=text[:200]
        )
    major, minor, patch = match.groups(default="0")
    return Version(int(major), int(minor), int(patch))


def supports(version: Version, feature: Feature) -> bool:
    """Whether *version* has *feature*."""
    return version >= SINCE[feature]


def require(version: Version, feature: Feature | None = None) -> None:
    """Raise UnsupportedVersionError unless *version* is supported and has *feature*."""
    if version < OLDEST:
        raise UnsupportedVersionError(f"restic {version} is too old: {OLDEST} is the oldest.")
    if feature is not None and not supports(version, feature):
        raise UnsupportedVersionError(
            f"restic {version} is too old: '{feature}' came with {SINCE[feature]}."
        )
