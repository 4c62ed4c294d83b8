-- name: drill_was_due
-- No row: there is none any more.
update configuration
   set drill_due_at = greatest(coalesce(drill_due_at, $2), $2)
 where id = $1 and deleted_at is null
returning id;

-- name: to_drill
-- The newest snapshot at each destination that can be drilled; where that was tried last is last.
select newest.*
  from (select distinct on (s.destination_id)
               s.configuration_id, s.run_id, s.destination_id, s.restic_snapshot_id
          from snapshot s
          join destination d on d.id = s.destination_id
         where s.configuration_id = $1 and s.status in ('success', 'partial')
           and s.restic_snapshot_id is not null and s.forgotten_at is null
           and d.state = 'ready' and d.enabled
         order by s.destination_id, s.completed_at desc) newest
 order by (select max(r.queued_at) from run r
            where r.operation = 'drill' and r.configuration_id = $1
              and r.destination_ids @> array[newest.destination_id]) nulls first,
          newest.destination_id
 limit 1;

-- name: unfinished_drill
select id from run
 where operation = 'drill' and configuration_id = $1 and status in ('queued', 'in_progress')
 limit 1;
