"""Reading the file of another tool, whatever it is written in."""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from holdfast.cli.importers import autorestic, backrest, resticprofile
from holdfast.cli.importers.base import Found, Gatherer
from holdfast.events.portable import PortableDevice
from holdfast.kernel.errors import InvalidRequestError

TOOLS: dict[str, Callable[[Mapping[str, Any], Gatherer], Found]] = {
    "backrest": backrest.gather,
    "resticprofile": resticprofile.gather,
    "autorestic": autorestic.gather,
}


def read_foreign(
    tool: str,
    path: Path,
    device: PortableDevice,
    environment: Mapping[str, str] = os.environ,
) -> Found:
    """The configuration at *path* as an export, with notes on what has no place in one.

    Only the file and the password files that it names are read.  Raises InvalidRequestError.
    """
    gatherer = Gatherer(tool, device, path.absolute().parent, environment)
    return TOOLS[tool](parsed(path), gatherer)


def parsed(path: Path) -> dict[str, Any]:
    """The mapping that the file is.  Raises InvalidRequestError."""
    content = path.read_bytes()
    try:
        match path.suffix.lower():
            case ".json":
                found = msgspec.json.decode(content)
            case ".toml" | ".conf":
                found = tomllib.loads(content.decode())
            case _:
                # Of plain values only: a tag that would make an object is refused.
                found = yaml.safe_load(content)
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError, yaml.YAMLError, ValueError) as error:
        raise InvalidRequestError(
            f"{path} cannot be read.",
            guidance="A file with templates must be rendered first.",
            # Not the parser's own words: they may quote a password.
            detail=type(error).__name__,
        ) from error
    if not isinstance(found, dict):
        raise InvalidRequestError(f"{path} holds no settings.")
    return found
