"""Which run's end is told, and in what words."""

from datetime import UTC, datetime

import pytest

from holdfast.events.discovery import DataUnprotected, DeviceUnseen, Unprotected
from holdfast.events.repository import RepositoryDamaged, RepositoryMended
from holdfast.events.run import Failure, Operation, RunCompleted, RunStatus
from holdfast.events.snapshot import Replica, ReplicasDiffer, Way
from holdfast.kernel.ids import derived_id, new_id
from holdfast.notifier.domain import (
    Message,
    Severity,
    damage_message,
    mended_message,
    message_of,
    message_of_difference,
    unprotected_message,
    unseen_message,
)

NOW = datetime(2026, 3, 10, 2, 5, tzinfo=UTC)
LOCKED = Failure(
    code="repository_locked",
    message="Another process holds the repository's lock.",
    guidance="Wait for the other run.",
    detail="unable to create lock",
)


def completed(
    operation: Operation = Operation.BACKUP,
    status: RunStatus = RunStatus.FAILED,
    *,
    app_name: str = "photos",
    failure: Failure | None = None,
) -> RunCompleted:
    return RunCompleted(
        event_id=new_id(),
        occurred_at=NOW,
        run_id=derived_id("run"),
        claim=1,
        operation=operation,
        status=status,
        started_at=NOW,
        app_name=app_name,
        destination_ids=(derived_id("nas"),),
        failure=failure,
    )


def told(event: RunCompleted) -> Message:
    message = message_of(event)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("operation", "status", "type_", "severity"),
    [
        (Operation.BACKUP, RunStatus.FAILED, "backup.failed", Severity.ERROR),
        (Operation.BACKUP, RunStatus.PARTIAL, "backup.partial", Severity.WARNING),
        (Operation.BACKUP, RunStatus.SUCCESS, "backup.succeeded", Severity.INFO),
        (Operation.RESTORE, RunStatus.FAILED, "restore.failed", Severity.ERROR),
        (Operation.RESTORE, RunStatus.PARTIAL, "restore.partial", Severity.WARNING),
        (Operation.FORGET, RunStatus.FAILED, "forget.failed", Severity.ERROR),
        (Operation.PRUNE, RunStatus.FAILED, "prune.failed", Severity.ERROR),
        (Operation.CHECK, RunStatus.FAILED, "check.failed", Severity.ERROR),
        (Operation.HEAL, RunStatus.PARTIAL, "heal.partial", Severity.WARNING),
    ],
)
def test_what_is_told(
    operation: Operation, status: RunStatus, type_: str, severity: Severity
) -> None:
    message = told(completed(operation, status))

    assert message.type == type_
    assert message.severity is severity


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        *((operation, RunStatus.CANCELLED) for operation in Operation),
        *((Operation.PROBE, status) for status in RunStatus),
        *((Operation.INIT, status) for status in RunStatus),
        (Operation.RESTORE, RunStatus.SUCCESS),
        (Operation.FORGET, RunStatus.SUCCESS),
        (Operation.PRUNE, RunStatus.SUCCESS),
    ],
)
def test_what_is_not_told(operation: Operation, status: RunStatus) -> None:
    assert message_of(completed(operation, status)) is None


def test_a_repeat_has_the_same_id_and_another_outcome_another_one() -> None:
    first, again = told(completed()), told(completed())
    partial = told(completed(status=RunStatus.PARTIAL))

    assert first.id == again.id
    assert first.id != partial.id


@pytest.mark.parametrize(
    ("event", "title"),
    [
        (completed(), "Backup of photos failed"),
        (completed(status=RunStatus.PARTIAL), "Backup of photos completed with warnings"),
        (completed(status=RunStatus.SUCCESS), "Backup of photos succeeded"),
        (completed(Operation.PRUNE, app_name=""), "Freeing space failed"),
    ],
)
def test_the_title_says_what_happened(event: RunCompleted, title: str) -> None:
    assert told(event).title == title


def test_the_text_gives_the_cause_the_way_out_and_the_programs_own_words() -> None:
    text = told(completed(failure=LOCKED)).text

    assert text == (
        "Another process holds the repository's lock. Wait for the other run."
        "\n\nunable to create lock"
    )


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.PARTIAL, RunStatus.SUCCESS])
def test_there_is_always_a_text(status: RunStatus) -> None:
    assert told(completed(status=status)).text


def test_damage_is_told_by_its_own_event_and_not_by_every_check_that_finds_it() -> None:
    damaged = Failure(code="repository_damaged", message="Data in the repository is damaged.")
    event = RepositoryDamaged(
        event_id=derived_id("damage"),
        occurred_at=NOW,
        destination_id=derived_id("nas"),
        destination_name="NAS",
        run_id=derived_id("run"),
        packs=("ab" * 32,),
        restic_snapshot_ids=("cd" * 32,),
    )

    message = damage_message(event)

    assert message_of(completed(Operation.CHECK, failure=damaged)) is None
    assert (message.type, message.severity) == ("repository.damaged", Severity.ERROR)
    assert message.title == "The repository at NAS is damaged"
    assert "ab" * 32 in message.text
    assert "cd" * 32 in message.text
    assert message.id == damage_message(event).id


@pytest.mark.parametrize(
    ("is_damage", "severity", "words"),
    [
        (True, Severity.ERROR, "heal the one that is at fault"),
        (False, Severity.INFO, "may have changed in between"),
    ],
)
def test_a_difference_between_destinations_is_told(
    is_damage: bool, severity: Severity, words: str
) -> None:
    def replica(name: str, tree: str) -> Replica:
        return Replica(
            snapshot_id=new_id(),
            destination_id=new_id(),
            destination_name=name,
            tree=tree * 64,
            way=Way.COPY if is_damage else Way.BACKUP,
        )

    event = ReplicasDiffer(
        event_id=new_id(),
        occurred_at=NOW,
        run_id=derived_id("run"),
        configuration_id=new_id(),
        app_name="photos",
        is_damage=is_damage,
        snapshots=(replica("NAS", "a"), replica("USB", "b")),
    )

    message = message_of_difference(event)

    assert message.title == "The snapshots of photos differ between destinations"
    assert message.severity is severity
    assert words in message.text
    assert "NAS: aaaaaaaaaaaa\nUSB: bbbbbbbbbbbb" in message.text
    assert message.id == message_of_difference(event).id


@pytest.mark.parametrize(("left", "is_told"), [(0, True), (1, False)])
def test_the_end_of_damage_is_told_when_none_is_left(left: int, is_told: bool) -> None:
    event = RepositoryMended(
        event_id=derived_id("mended"),
        occurred_at=NOW,
        destination_id=derived_id("nas"),
        destination_name="NAS",
        run_id=derived_id("run"),
        packs=("ab" * 32,),
        still_damaged=left,
    )

    message = mended_message(event)

    assert (message is not None) is is_told
    if message is not None:
        assert message.title == "The repository at NAS is whole again"
        assert message.severity is Severity.INFO


def test_unprotected_data_is_told_with_the_reasons_and_not_all_of_very_much() -> None:
    place = Unprotected(
        app_name="shop", path="/srv/a", reason="disabled", explanation="It is switched off."
    )
    event = DataUnprotected(
        event_id=derived_id("unprotected"),
        occurred_at=NOW,
        device_id=derived_id("nas"),
        device_name="nas",
        run_id=derived_id("run"),
        places=(place,) * 25,
    )

    message = unprotected_message(event)

    assert (message.type, message.severity) == ("data.unprotected", Severity.WARNING)
    assert message.title == "Data on nas is not protected"
    assert "shop: /srv/a. It is switched off." in message.text
    assert message.text.endswith("and 5 more")
    assert message.id == unprotected_message(event).id


def test_a_device_out_of_sight_is_told_with_since_when_and_why() -> None:
    event = DeviceUnseen(
        event_id=derived_id("unseen"),
        occurred_at=NOW,
        device_id=derived_id("pi"),
        device_name="pi",
        run_id=derived_id("run"),
        since=NOW,
        failure=Failure(code="x", message="It is away.", guidance="Switch it on."),
    )

    message = unseen_message(event)

    assert (message.type, message.severity) == ("device.unseen", Severity.WARNING)
    assert message.title == "It is not known what pi runs"
    assert f"{NOW:%Y-%m-%d %H:%M} UTC" in message.text
    assert message.text.endswith("It is away. Switch it on.")
