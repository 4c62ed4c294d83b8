-- name: record_due
-- No row: it is on record already, or there never was such a configuration.
insert into expected_run (configuration_id, scheduled_for, outcome, reason, run_id, recorded_at)
select id, $2, $3, $4, $5, $6 from configuration where id = $1
on conflict (configuration_id, scheduled_for) do nothing
returning configuration_id;

-- name: is_recorded
select exists (
    select from expected_run where configuration_id = $1 and scheduled_for = $2
);

-- name: prune_was_due
update destination
   set last_prune_due_at = greatest(coalesce(last_prune_due_at, $2), $2)
 where id = $1;

-- name: schedules
-- Backups by configuration, prunes by destination; only times after "after" count.
select 'backup' as kind, c.id, p.schedule, p.timezone,
       greatest(c.enabled_at, p.schedule_changed_at, last.scheduled_for) as after
  from configuration c
  join policy p on p.id = c.policy_id
 cross join lateral (
       select max(e.scheduled_for) as scheduled_for
         from expected_run e
        where e.configuration_id = c.id) last
 where c.enabled and c.deleted_at is null and p.enabled
union all
select 'prune', d.id, d.prune_schedule, d.prune_timezone,
       coalesce(d.last_prune_due_at, d.created_at)
  from destination d
 where d.state = 'ready' and d.enabled and d.prune_schedule <> '';
