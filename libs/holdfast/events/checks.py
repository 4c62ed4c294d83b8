"""The words of checks: how healthy a repository is, and how much of its data is to be read."""

from enum import StrEnum


class Health(StrEnum):
    """What is known of a repository."""

    UNKNOWN = "unknown"
    """It was never checked."""
    OK = "ok"
    """No check has found damage, or what was found is mended."""
    DAMAGED = "damaged"


class ReadData(StrEnum):
    """How much of the data a check reads.  The structure it looks at always."""

    NONE = "none"
    PART = "part"
    """The parts that are the oldest; of a damaged repository those that the damage is in."""
    ALL = "all"
