"""Drills: a restore to a scratch place that proves that one works, and what came of it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.restoring import AppRestoreStep


class DrillMode(StrEnum):
    """What is done with what a drill restored."""

    COMPARE = "compare"
    """It is compared with the snapshot."""
    BOOT = "boot"
    """The same, and then the app's containers are brought up on it, shut off from everything
    else, and asked."""


class ProbeKind(StrEnum):
    """How a container that was brought up is asked."""

    HTTP = "http"
    """A GET of ``path`` at ``port``."""
    SQL = "sql"
    """``query``, whose first number must be ``minimum`` at least."""
    COMMAND = "command"
    """``command``, a line of shell in the container that must end with 0."""


class DrillProbe(msgspec.Struct, frozen=True, kw_only=True):
    """One question to an app that was brought up, and what must come of it."""

    kind: ProbeKind
    container: str
    """Its name as the app has it."""
    port: int = 80
    path: str = "/"
    status: int = 0
    """What HTTP must answer; 0: anything from 200 to 399."""
    query: str = ""
    database: str = ""
    """Where the query is asked; empty: in the one that the container's variables name."""
    minimum: int = 1
    command: str = ""
    timeout_seconds: int = 60
    """It is asked again until it answers as it must, for so long at most."""


class DrillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a configuration's snapshots are proved restorable."""

    enabled: bool = True
    schedule: str = ""
    """Five cron fields; empty: once a month, at a time of its own, if the instance has drills."""
    timezone: str = ""
    """IANA name; empty: the policy's."""
    mode: DrillMode = DrillMode.COMPARE
    device_id: UUID | None = None
    """Where it is restored to; None, or gone: the device whose data it is."""
    scratch_path: str = ""
    """A directory there that exists, below which it is restored; empty: Holdfast's own cache."""
    most_bytes: int = 10 * 2**30
    """Of a larger snapshot a sample of so many bytes is restored, another one each time."""
    probes: tuple[DrillProbe, ...] = ()
    """What the containers are asked in mode ``boot``; none: that they run, and are healthy."""


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one question."""

    probe: str
    """In words, as ``GET :8080/health of web``."""
    ok: bool
    answer: str
    """The last, cut to a few hundred characters."""
    seconds: float
    """Until it was as it must be, or nobody waited any longer."""


class DrillResult(msgspec.Struct, frozen=True, kw_only=True, tag="drill"):
    """What a drill came to: the evidence, when it succeeded, that the snapshot can be restored.

    The run is ``failed`` when anything was not as in the snapshot, or the app did not answer.
    """

    mode: DrillMode
    destination_id: UUID
    restic_snapshot_id: str
    is_whole: bool = True
    """All of the snapshot was restored, and not a sample of its files."""
    files: int = 0
    """That are no folders, and that were restored and compared."""
    bytes: int = 0
    dumps: int = 0
    """Dumps of databases beside it that could be read to their end."""
    restore_seconds: float = 0.0
    """For the restore alone, reading again among it."""
    differences: tuple[str, ...] = ()
    """The first few: a path, and what is not as in the snapshot."""
    differences_count: int = 0
    answers: tuple[ProbeAnswer, ...] = ()
    left_out: tuple[str, ...] = ()
    """Of the app's containers when they were brought up: what they had and these did not."""
    steps: tuple[AppRestoreStep, ...] = ()


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The last drill of a configuration that succeeded."""

    run_id: UUID
    at: AwareTime
    result: DrillResult
