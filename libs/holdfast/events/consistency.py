"""What makes a backup of a running app one that can be relied on: hooks, dumps, a quiet app."""

from enum import StrEnum

import msgspec


class When(StrEnum):
    """On which side of the backup something is done."""

    BEFORE = "before"
    AFTER = "after"


class HookKind(StrEnum):
    """Where a hook works."""

    COMMAND = "command"
    """A line of shell on the device where the app's files are."""
    CONTAINER = "container"
    """A line of shell in a container there."""
    HTTP = "http"
    """A request by the executor."""


class OnFailure(StrEnum):
    """What a hook that fails means."""

    ABORT = "abort"
    """Before: no backup is made.  After: the run is partial."""
    WARN = "warn"
    """It is told with the run, and that is all."""


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a person's own to do around a backup, once for all of its destinations."""

    when: When
    kind: HookKind = HookKind.COMMAND
    command: str = ""
    """For a command and a container.  Everybody who may look at the configuration sees it."""
    container: str = ""
    """Its name."""
    url: str = ""
    method: str = "POST"
    timeout_seconds: int = 300
    on_failure: OnFailure = OnFailure.ABORT


class Quiet(StrEnum):
    """What the app's containers do while it is backed up."""

    RUN = "run"
    PAUSE = "pause"
    """They stand still: their files are as after a power cut."""
    STOP = "stop"
    """They have ended in order."""


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, for one configuration."""

    hooks: tuple[Hook, ...] = ()
    """In the order in which they are done."""
    containers: tuple[str, ...] = ()
    """The app's, by name; what others depend on comes first."""
    quiet: Quiet = Quiet.RUN
    dumps: bool = True
    """Whether databases that are known by their image are dumped, into snapshots of their own."""
    sqlite: bool = False
    """The same for SQLite files in the app's paths that are in use."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one thing that was done around a backup."""

    name: str
    when: When
    ok: bool
    seconds: float = 0.0
    exit_code: int | None = None
    output: str = ""
    """Its last words, of both streams, without secrets."""
