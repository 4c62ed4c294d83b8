"""From which destination a snapshot is restored first."""

from uuid import UUID

from holdfast.catalog.domain.sources import Copy, in_order
from holdfast.events.work import DestinationType


def copy(number: int, type: DestinationType, **fields: bool) -> Copy:
    return Copy(
        snapshot_id=UUID(int=number),
        destination_id=UUID(int=number + 100),
        restic_snapshot_id=f"{number:064}",
        type=type,
        **{"is_in_use": True, "is_damaged": False, **fields},
    )


def order(*copies: Copy, wanted: int = 1) -> list[int]:
    return [each.snapshot_id.int for each in in_order(copies, UUID(int=wanted))]


def test_the_nearest_sound_one_is_first() -> None:
    cloud, host, disk = (
        copy(1, DestinationType.S3),
        copy(2, DestinationType.SFTP),
        copy(3, DestinationType.LOCAL),
    )
    assert order(cloud, host, disk) == [3, 2, 1]


def test_of_equals_it_is_the_one_that_was_named() -> None:
    disks = [copy(number, DestinationType.LOCAL) for number in (1, 2, 3)]
    assert order(*disks, wanted=2)[0] == 2


def test_damaged_ones_and_those_out_of_use_are_last_and_not_left_out() -> None:
    assert order(
        copy(1, DestinationType.LOCAL, is_damaged=True),
        copy(2, DestinationType.LOCAL, is_in_use=False),
        copy(3, DestinationType.S3),
    ) == [3, 2, 1]
