"""The words of schedules: how missed times are made up for, and what became of a due time."""

from enum import StrEnum


class CatchUp(StrEnum):
    """What becomes of the due times that passed while nothing ran."""

    RUN_ONCE = "run_once"
    """The newest starts, the earlier ones are coalesced into it."""
    SKIP = "skip"
    """All of them are missed."""


class DueOutcome(StrEnum):
    """What became of a due time."""

    FIRED = "fired"
    """A run was queued."""
    COALESCED = "coalesced"
    """Another run stands for it."""
    SKIPPED = "skipped"
    """It was not to be; the reason says why."""
    MISSED = "missed"
    """It passed, and nothing makes up for it."""
