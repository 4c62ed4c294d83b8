"""Where a program that Holdfast brings along is."""

import os
import shutil
import sys
from pathlib import Path

from holdfast.devices.base import ProgramNotFoundError


def find_program(name: str, named: Path | None = None) -> Path:
    """The one that was *named*, else the one set up beside Python, else the one on PATH.

    Raises ProgramNotFoundError.
    """
    if named is not None:
        if os.access(named, os.X_OK):
            return named
        raise ProgramNotFoundError(f"{named} is not a program that can be run.")
    beside = Path(sys.prefix) / "bin" / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    if found is None:
        raise ProgramNotFoundError(f"The program {name!r} is not installed on this machine.")
    return Path(found)
