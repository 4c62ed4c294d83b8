"""Where the restic binary is."""

import os
import shutil
import sys
from pathlib import Path

from holdfast.kernel.errors import HoldfastError


class ResticMissingError(HoldfastError):
    """No restic binary was found."""

    code = "restic_missing"
    guidance = "Run 'just setup', or name one with HOLDFAST_RESTIC."


def find_restic(explicit: Path | None = None) -> Path:
    """The binary that was named, else the one set up beside Python, else the one on PATH.

    Raises ResticMissingError.
    """
    named = explicit or (
        Path(os.environ["HOLDFAST_RESTIC"]) if os.environ.get("HOLDFAST_RESTIC") else None
    )
    if named is not None:
        if os.access(named, os.X_OK):
            return named
        raise ResticMissingError(f"{named} is not a program that can be run.")
    beside = Path(sys.prefix) / "bin" / "restic"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("restic")
    if found is None:
        raise ResticMissingError
    return Path(found)
