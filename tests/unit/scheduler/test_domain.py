"""The timetable: what is due, in which words, and what was fired."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from holdfast.events.due import BackupDue, CheckDue, PruneDue
from holdfast.events.queries import ScheduleEntry
from holdfast.kernel.ids import derived_id
from holdfast.scheduler.domain import Due, Timetable, words_of

TWO = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PHOTOS, MAIL, NAS = derived_id("photos"), derived_id("mail"), derived_id("nas")


def entry(
    id: UUID = PHOTOS,
    *,
    kind: str = "backup",
    schedule: str = "0 2 * * *",
    timezone: str = "UTC",
    after: datetime = TWO - HOUR,
) -> ScheduleEntry:
    return ScheduleEntry(kind=kind, id=id, schedule=schedule, timezone=timezone, after=after)


def timetable(*entries: ScheduleEntry) -> Timetable:
    made = Timetable()
    for each in entries:
        made.put(each, TWO + 30 * DAY)
    return made


def test_nothing_is_due_before_its_time() -> None:
    table = timetable(entry())

    assert table.due(TWO - timedelta(microseconds=1), most=9) == ()
    assert table.next_at() == TWO


def test_what_is_due_stays_due_until_it_was_fired() -> None:
    table = timetable(entry())
    (due,) = table.due(TWO, most=9)

    assert table.due(TWO, most=9) == (due,)
    table.fired(due)
    assert table.due(TWO, most=9) == ()
    assert table.next_at() == TWO + DAY


def test_all_missed_times_become_one_that_stands_for_the_others() -> None:
    table = timetable(entry(after=TWO - 3 * DAY))

    (due,) = table.due(TWO + HOUR, most=9)

    assert due.scheduled_for == TWO
    assert due.coalesced == (TWO - 2 * DAY, TWO - DAY)


def test_longest_due_first_and_not_more_than_asked_for() -> None:
    table = timetable(entry(PHOTOS), entry(MAIL, schedule="30 1 * * *"), entry(NAS, kind="prune"))

    due = table.due(TWO, most=2)

    assert due[0].id == MAIL
    assert len(due) == 2


def test_an_older_record_does_not_bring_back_what_was_fired() -> None:
    table = timetable(entry())
    (due,) = table.due(TWO, most=9)
    table.fired(due)

    table.put(entry(), TWO + 30 * DAY)

    assert table.due(TWO + HOUR, most=9) == ()


def test_what_was_fired_is_remembered_while_an_entry_is_away() -> None:
    table = timetable(entry())
    table.fired(table.due(TWO, most=9)[0])

    table.keep_only([])
    assert table.next_at() is None
    table.put(entry(), TWO + 30 * DAY)

    assert table.next_at() == TWO + DAY


def test_a_newer_record_of_another_scheduler_is_taken_over() -> None:
    table = timetable(entry())

    table.put(entry(after=TWO), TWO + 30 * DAY)

    assert table.next_at() == TWO + DAY


def test_a_changed_schedule_or_zone_takes_the_place_of_the_old_one() -> None:
    table = timetable(entry())

    table.put(entry(schedule="30 1 * * *"), TWO + 30 * DAY)
    assert table.next_at() == TWO - HOUR / 2
    table.put(entry(schedule="30 3 * * *", timezone="Europe/Berlin"), TWO + 30 * DAY)

    assert table.next_at() == TWO + HOUR / 2
    assert table.due(TWO, most=9) == ()


def test_a_schedule_put_twice_is_due_once() -> None:
    table = timetable(entry(), entry(schedule="30 1 * * *"), entry())

    assert len(table.due(TWO, most=9)) == 1


def test_a_clock_that_is_set_back_makes_nothing_due_again() -> None:
    table = timetable(entry())
    table.fired(table.due(TWO, most=9)[0])

    assert table.due(TWO - HOUR, most=9) == ()
    assert table.due(TWO + HOUR, most=9) == ()


def test_whoever_says_it_and_whenever_it_has_the_same_id() -> None:
    (once,) = words_of([Due(kind="backup", id=PHOTOS, scheduled_for=TWO)], TWO)
    (again,) = words_of(
        [Due(kind="backup", id=PHOTOS, scheduled_for=TWO, coalesced=(TWO - DAY,))], TWO + DAY
    )

    assert once.event.event_id == again.event.event_id


def test_another_kind_id_or_time_has_another_id() -> None:
    dues = [
        Due(kind="backup", id=PHOTOS, scheduled_for=TWO),
        Due(kind="prune", id=PHOTOS, scheduled_for=TWO),
        Due(kind="backup", id=MAIL, scheduled_for=TWO),
        Due(kind="backup", id=PHOTOS, scheduled_for=TWO + DAY),
    ]

    words = [word for each in dues for word in words_of([each], TWO)]
    assert len({word.event.event_id for word in words}) == len(dues)


def test_backups_are_said_together_and_each_prune_in_its_own_words() -> None:
    photos = Due(kind="backup", id=PHOTOS, scheduled_for=TWO, coalesced=(TWO - DAY,))
    mail = Due(kind="backup", id=MAIL, scheduled_for=TWO)
    nas = Due(kind="prune", id=NAS, scheduled_for=TWO)
    looked = Due(kind="check", id=NAS, scheduled_for=TWO)

    told = {type(word.event): word for word in words_of([photos, nas, mail, looked], TWO)}

    assert {kind: word.due for kind, word in told.items()} == {
        BackupDue: (photos, mail),
        PruneDue: (nas,),
        CheckDue: (looked,),
    }
    backup, prune = told[BackupDue].event, told[PruneDue].event
    assert isinstance(backup, BackupDue)
    assert [each.configuration_id for each in backup.due] == [PHOTOS, MAIL]
    assert backup.due[0].coalesced == (TWO - DAY,)
    assert isinstance(prune, PruneDue)
    assert prune.destination_id == NAS
    assert prune.scheduled_for == TWO
    assert told[CheckDue].event.event_id != prune.event_id


def test_a_clock_that_jumped_ahead_and_back_silences_nothing() -> None:
    table = timetable(entry())
    (jumped,) = table.due(TWO + 40 * DAY, most=9)
    table.fired(jumped)

    table.put(entry(after=TWO - HOUR), TWO - HOUR)  # what the catalog has not taken

    assert table.next_at() == TWO
    (due,) = table.due(TWO, most=9)
    assert due.scheduled_for == TWO


def test_a_record_from_the_future_counts_for_nothing_and_no_time_slips_by() -> None:
    table = Timetable()
    table.put(entry(after=TWO + 40 * DAY), TWO - HOUR)

    assert table.next_at() == TWO
    # Loaded again just when it is due, before it was said.
    table.put(entry(after=TWO + 40 * DAY), TWO + HOUR)
    (due,) = table.due(TWO + HOUR, most=9)
    table.fired(due)
    assert (due.scheduled_for, table.next_at()) == (TWO, TWO + DAY)
