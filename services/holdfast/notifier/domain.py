"""Which run's end is told, and in what words."""

from enum import StrEnum
from uuid import UUID

import msgspec

from holdfast.events.base import AwareTime
from holdfast.events.discovery import DataUnprotected, DeviceUnseen
from holdfast.events.repository import RepositoryDamaged, RepositoryMended
from holdfast.events.run import BackupResult, Failure, Operation, RunCompleted, RunStatus
from holdfast.events.snapshot import ReplicasDiffer
from holdfast.kernel.ids import derived_id


class Severity(StrEnum):
    """How urgently somebody should look."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel delivers.  It may gain fields; nothing else changes."""

    id: UUID
    """The same for the same run and outcome, however often it is sent."""
    type: str
    """``<operation>.succeeded``, ``.partial`` or ``.failed``; ``repository.damaged``
    or ``.mended``; ``data.unprotected``; ``device.unseen``;
    ``replicas.differ``."""
    title: str
    text: str
    severity: Severity
    run_id: UUID
    app_name: str
    """Empty when the run belongs to no app."""
    status: RunStatus
    failure: Failure | None
    occurred_at: AwareTime


MOST_PLACES = 20
"""So many are named in a message."""

DAMAGED = "repository_damaged"

TOLD = {
    RunStatus.FAILED: ("failed", Severity.ERROR),
    RunStatus.PARTIAL: ("partial", Severity.WARNING),
}

OPERATIONS = {
    Operation.BACKUP: "Backup",
    Operation.RESTORE: "Restore",
    Operation.APP_RESTORE: "Bringing an app back",
    Operation.DISCARD_PREVIOUS: "Removing what was before an app's restore",
    Operation.DRILL: "Proving that a restore works",
    Operation.FORGET: "Removing old snapshots",
    Operation.PRUNE: "Freeing space",
    Operation.CHECK: "Checking a destination",
    Operation.ROTATE_PASSWORD: "Changing a repository's password",
    Operation.PROTECT: "Keeping the object lock up",
    Operation.UNDELETE: "Bringing back what was deleted",
    Operation.HEAL: "Repairing a destination",
}
"""What is told of.  Probe and init answer the person who asked for them."""

ENDINGS = {
    RunStatus.SUCCESS: "succeeded",
    RunStatus.PARTIAL: "completed with warnings",
    RunStatus.FAILED: "failed",
}


def message_of(event: RunCompleted) -> Message | None:
    """What is told of a run's end; None when nothing is.

    Every failure and every partial outcome is told.  A backup that succeeds is told too,
    so that a service that waits for it (a dead man's switch) can raise the alarm when it
    hears nothing: that is the one failure that Holdfast cannot tell of itself.
    """
    if event.operation not in OPERATIONS:
        return None
    if event.operation is Operation.CHECK and event.failure and event.failure.code == DAMAGED:
        return None  # told by ``damage_message``, once for the damage and not for each check
    if event.status in TOLD:
        word, severity = TOLD[event.status]
    elif event.operation is Operation.BACKUP and event.status is RunStatus.SUCCESS:
        word, severity = "succeeded", Severity.INFO
    else:
        return None
    return Message(
        id=derived_id("message", event.run_id, event.status),
        type=f"{event.operation}.{word}",
        title=title_of(event),
        text=text_of(event),
        severity=severity,
        run_id=event.run_id,
        app_name=event.app_name,
        status=event.status,
        failure=event.failure,
        occurred_at=event.occurred_at,
    )


def damage_message(event: RepositoryDamaged) -> Message:
    """What is told of damage that was found."""
    packs = ", ".join(event.packs) or "its index or a snapshot's own file"
    hurt = ", ".join(event.restic_snapshot_ids) or "restic could name none"
    failure = Failure(
        code=DAMAGED,
        message=f"Data at {event.destination_name} is damaged or missing.",
        guidance="Files of the snapshots named may be lost; docs/checking.md tells the repair.",
        detail=f"Packs: {packs}. Snapshots: {hurt}.",
    )
    return Message(
        id=derived_id("message", event.event_id),
        type=event.TYPE,
        title=f"The repository at {event.destination_name} is damaged",
        text=f"{failure.message} {failure.guidance}\n\n{failure.detail}",
        severity=Severity.ERROR,
        run_id=event.run_id,
        app_name="",
        status=RunStatus.FAILED,
        failure=failure,
        occurred_at=event.occurred_at,
    )


def mended_message(event: RepositoryMended) -> Message | None:
    """What is told when nothing is left of the damage that was told of; None: some is."""
    if event.still_damaged:
        return None
    return Message(
        id=derived_id("message", event.event_id),
        type=event.TYPE,
        title=f"The repository at {event.destination_name} is whole again",
        text="What was damaged has been read, and is as it was written.",
        severity=Severity.INFO,
        run_id=event.run_id,
        app_name="",
        status=RunStatus.SUCCESS,
        failure=None,
        occurred_at=event.occurred_at,
    )


def unprotected_message(event: DataUnprotected) -> Message:
    """What is told of data that no backup takes in."""
    count = len(event.places)
    things = "1 volume or folder" if count == 1 else f"{count} volumes or folders"
    listed = "\n".join(
        f"{each.app_name or 'of no app'}: {each.name or each.path}. {each.explanation}"
        for each in event.places[:MOST_PLACES]
    )
    more = f"\nand {count - MOST_PLACES} more" if count > MOST_PLACES else ""
    return Message(
        id=derived_id("message", event.event_id),
        type=event.TYPE,
        title=f"Data on {event.device_name} is not protected",
        text=f"No backup takes in {things}. 'holdfast coverage' lists all of them; the label "
        f"holdfast.enable=false leaves out what need not be kept.\n\n{listed}{more}",
        severity=Severity.WARNING,
        run_id=event.run_id,
        app_name="",
        status=RunStatus.SUCCESS,
        failure=None,
        occurred_at=event.occurred_at,
    )


def unseen_message(event: DeviceUnseen) -> Message:
    """What is told of a device that nobody could look at for some time."""
    failure = event.failure
    since = f"{event.since:%Y-%m-%d %H:%M} UTC"
    told = f"{failure.message} {failure.guidance}".strip()
    return Message(
        id=derived_id("message", event.event_id),
        type=event.TYPE,
        title=f"It is not known what {event.device_name} runs",
        text=f"Since {since} nobody could ask it. What is new there is backed up by nobody, until "
        f"somebody can; what is known is backed up on.\n\n{told}",
        severity=Severity.WARNING,
        run_id=event.run_id,
        app_name="",
        status=RunStatus.FAILED,
        failure=failure,
        occurred_at=event.occurred_at,
    )


def message_of_difference(event: ReplicasDiffer) -> Message:
    """What is told when one run's snapshots are not the same everywhere.

    An alarm only when a copy is like no original: what was read twice may have changed.
    """
    subject = f"The snapshots of {event.app_name or 'a backup'}"
    each = "\n".join(f"{one.destination_name}: {one.tree[:12]}" for one in event.snapshots)
    if event.is_damage:
        text = (
            "A copy is not what it was copied from. Check these destinations, and heal the one "
            "that is at fault."
        )
    else:
        text = (
            "The source was read once for each, and may have changed in between: each snapshot "
            "is whole in itself. With fan_out 'mirror' or 'copy' it is read only once."
        )
    return Message(
        id=derived_id("message", event.run_id, event.TYPE),
        type=event.TYPE,
        title=f"{subject} differ between destinations",
        text=f"{text}\n\n{each}",
        severity=Severity.ERROR if event.is_damage else Severity.INFO,
        run_id=event.run_id,
        app_name=event.app_name,
        status=RunStatus.PARTIAL if event.is_damage else RunStatus.SUCCESS,
        failure=None,
        occurred_at=event.occurred_at,
    )


def title_of(event: RunCompleted) -> str:
    """One line: what, of which app, and how it ended."""
    subject = OPERATIONS[event.operation]
    if event.app_name:
        subject += f" of {event.app_name}"
    return f"{subject} {ENDINGS[event.status]}"


def text_of(event: RunCompleted) -> str:
    """The cause and what to do about it; the words of the program underneath come last."""
    if event.failure is not None:
        failure = event.failure
        parts = (f"{failure.message} {failure.guidance}".strip(), failure.detail)
        return "\n\n".join(part for part in parts if part)
    if event.status is RunStatus.PARTIAL:
        return "A part of it could not be done. The run's page says which."
    if event.status is RunStatus.FAILED:
        return "No cause was recorded. The run's page has what is known."
    count = len(event.destination_ids)
    places = "1 destination" if count == 1 else f"{count} destinations"
    warnings = event.result.warnings if isinstance(event.result, BackupResult) else ()
    return "\n\n".join((f"A snapshot is at {places}.", *warnings))
