"""Where the restic binary is."""

import os
from pathlib import Path

from holdfast.devices.base import ProgramNotFoundError
from holdfast.devices.find import find_program
from holdfast.kernel.errors import HoldfastError


class ResticMissingError(HoldfastError):
    """No restic binary was found."""

    code = "restic_missing"
    guidance = "Run 'just setup', or name one with HOLDFAST_RESTIC."


def find_restic(explicit: Path | None = None) -> Path:
    """The binary that was named, else the one set up beside Python, else the one on PATH.

    Raises ResticMissingError.
    """
    variable = os.environ.get("HOLDFAST_RESTIC")
    try:
        return find_program("restic", explicit or (Path(variable) if variable else None))
    except ProgramNotFoundError as error:
        raise ResticMissingError(error.message) from error
