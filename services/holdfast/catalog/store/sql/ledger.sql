-- name: record_due
-- Rows for those that are new, or whose row is void, and whose configuration there ever was.
insert into expected_run (configuration_id, scheduled_for, outcome, reason, run_id, recorded_at)
select c.id, due.scheduled_for, due.outcome, due.reason, due.run_id, $6
  from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[])
         as due (configuration_id, scheduled_for, outcome, reason, run_id)
  join configuration c on c.id = due.configuration_id
on conflict (configuration_id, scheduled_for) do update
   set outcome = excluded.outcome, reason = excluded.reason, run_id = excluded.run_id,
       recorded_at = excluded.recorded_at
 where expected_run.scheduled_for <= $6 and $6 + $7::interval < expected_run.recorded_at
returning configuration_id;

-- name: recorded
select configuration_id, scheduled_for, recorded_at
  from expected_run
  join unnest($1::uuid[], $2::timestamptz[]) as due (configuration_id, scheduled_for)
 using (configuration_id, scheduled_for);

-- name: past
-- A page, newest first, after a time or from the start.
select scheduled_for, outcome, reason, run_id, recorded_at
  from expected_run
 where configuration_id = $1
   and ($2::timestamptz is null or scheduled_for < $2)
 order by scheduled_for desc
 limit $3;

-- name: prune_was_due
update destination
   set last_prune_due_at = greatest(coalesce(last_prune_due_at, $2), $2)
 where id = $1;

-- name: schedules
-- A page by id, after one or from the start, and no id is cut in two.  Backups and drills by
-- configuration, prunes and checks by destination;
-- only times after "after" count.  What is switched off is there, too: its due times are put
-- on record as skipped.  $3: whether drills without a schedule have one of their own.
with entry as (
    select 'backup' as kind, c.id, p.schedule, p.timezone,
           greatest(c.enabled_at, p.schedule_changed_at, last.scheduled_for) as after,
           p.jitter_seconds, p.window_start, p.window_end
      from configuration c
      join policy p on p.id = c.policy_id
     cross join lateral (
           select max(e.scheduled_for) as scheduled_for
             from expected_run e
            where e.configuration_id = c.id) last
     where c.deleted_at is null
       and ($1::uuid is null or c.id > $1)
    union all
    select 'drill' as kind, c.id, coalesce(c.drill ->> 'schedule', ''),
           coalesce(nullif(c.drill ->> 'timezone', ''), p.timezone),
           greatest(c.enabled_at, c.drill_due_at), 0, null, null
      from configuration c
      join policy p on p.id = c.policy_id
     where c.deleted_at is null and c.enabled and p.enabled
       and coalesce((c.drill ->> 'enabled')::boolean, true)
       and ($3::boolean or coalesce(c.drill ->> 'schedule', '') <> '')
       and ($1::uuid is null or c.id > $1)
    union all
    select work.kind, d.id, work.schedule, d.prune_timezone,
           coalesce(work.last_due_at, d.created_at), 0, null, null
      from destination d
     cross join lateral (values
           ('prune', d.prune_schedule, d.last_prune_due_at),
           ('check', d.check_schedule, d.last_check_due_at)) work (kind, schedule, last_due_at)
     where d.state = 'ready' and d.enabled and work.schedule <> ''
       and ($1::uuid is null or d.id > $1)
)
select * from entry order by id fetch first $2 rows with ties;

-- name: schedules_of
-- Those of some configurations.
select 'backup' as kind, c.id, p.schedule, p.timezone,
       greatest(c.enabled_at, p.schedule_changed_at) as after,
       p.jitter_seconds, p.window_start, p.window_end, c.enabled and p.enabled as enabled
  from configuration c
  join policy p on p.id = c.policy_id
 where c.id = any($1::uuid[]) and c.deleted_at is null;
