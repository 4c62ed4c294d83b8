"""Holdfast itself, as something that is backed up."""

from enum import StrEnum


class SystemType(StrEnum):
    """What of Holdfast itself is backed up: the spec's words."""

    DATABASE = "database"
    """The catalog's."""
    PLATFORM_CONFIG = "platform_config"
    """Its settings, and the files that it was started with."""
