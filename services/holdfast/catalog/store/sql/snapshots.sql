-- name: add_snapshot
insert into snapshot (id, run_id, configuration_id, app_id, destination_id, hostname, paths,
                      status, started_at, created_at)
values ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $8)
on conflict (id) do nothing;

-- name: complete_snapshot
-- A snapshot that is in the repository wins over a failure that was only assumed when no
-- word of it came.  No row: it is on record already.
update snapshot
   set status = $2, restic_snapshot_id = $3, hostname = $4, paths = $5, files_new = $6,
       files_changed = $7, files_unmodified = $8, data_added = $9, data_added_packed = $10,
       total_size = $11, duration = $12, unreadable_files = $13, unreadable_count = $14,
       started_at = $15, completed_at = $16, tree = coalesce(nullif($17, ''), tree), way = $18, failure = null
 where id = $1 and restic_snapshot_id is null
returning id;

-- name: fail_snapshot
-- No row: it is final already.
update snapshot
   set status = $2, failure = $3, duration = $4, started_at = $5, completed_at = $6
 where id = $1 and status in ('queued', 'in_progress')
returning id;

-- name: move_found
-- It was on record under a destination that was removed and led to the same repository.
update snapshot s
   set destination_id = $2, forgotten_at = null
  from destination old, destination new
 where s.restic_snapshot_id = $1
   and old.id = s.destination_id and old.state = 'removed'
   and new.id = $2 and new.id <> old.id and new.repository_id = old.repository_id
returning s.id;

-- name: is_known
-- Whether it is on record, and as somebody's; no row: it is not.
select configuration_id is not null
  from snapshot
 where destination_id = $1 and restic_snapshot_id = $2;

-- name: drop_unowned
-- It was found before anybody knew whose it is.
delete from snapshot
 where destination_id = $1 and restic_snapshot_id = $2 and configuration_id is null;

-- name: owner_by_id
select id as configuration_id, app_id from configuration where id = $1
union all
select null, id from app where id = $2
   and not exists (select from configuration where id = $1);

-- name: owner_by_paths
select c.id as configuration_id, c.app_id
  from configuration c
  join app a on a.id = c.app_id
  join device d on d.id = a.device_id
  join policy_destination pd on pd.policy_id = c.policy_id
 where pd.destination_id = $1
   and c.deleted_at is null
   and (a.name = any($4::text[]) or d.name = $2
   and (select array_agg(path order by path collate "C")
          from unnest(case when cardinality(c.include_paths) > 0
                           then c.include_paths else a.paths end) as path) = $3::text[]);

-- name: add_found
insert into snapshot (id, run_id, configuration_id, app_id, destination_id, restic_snapshot_id,
                      hostname, paths, status, files_new, files_changed, files_unmodified,
                      data_added, data_added_packed, total_size, duration, started_at,
                      completed_at, created_at, tree)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'success', $9, $10, $11, $12, $13, $14, $15,
        $16::timestamptz, $16::timestamptz + make_interval(secs => $15), $17, $18)
on conflict (id) do nothing;

-- name: end_rest
update snapshot
   set status = $2, failure = $3, completed_at = $4
 where run_id = $1 and status in ('queued', 'in_progress');

-- name: snapshots_of_run
select id, destination_id, status, failure from snapshot where run_id = $1 order by created_at, id;

-- name: replicas_of_run
-- What is known to be at its destinations, where there is something to compare.
select s.id as snapshot_id, s.destination_id, d.name as destination_name, s.tree, s.way
  from snapshot s
  join destination d on d.id = s.destination_id
  join run r on r.id = s.run_id
 where s.run_id = $1 and s.restic_snapshot_id is not null and s.tree <> ''
 order by array_position(r.destination_ids, s.destination_id);

-- name: forget_snapshots
update snapshot
   set forgotten_at = $3
 where destination_id = $1
   and restic_snapshot_id = any($2::text[])
   and forgotten_at is null;

-- name: unforget_snapshots
update snapshot
   set forgotten_at = null
 where destination_id = $1
   and restic_snapshot_id = any($2::text[]);

-- name: replace_snapshots
-- The old ids and the new ones, in the same order.
update snapshot s
   set restic_snapshot_id = each.new_id
  from unnest($2::text[], $3::text[]) as each (old_id, new_id)
 where s.destination_id = $1
   and s.restic_snapshot_id = each.old_id;

-- name: known_snapshots
-- By the time of the backup's start: that is the time restic records.
select restic_snapshot_id, started_at as time, status = 'success' as is_complete
  from snapshot
 where configuration_id = $1
   and destination_id = $2
   and restic_snapshot_id is not null
   and forgotten_at is null
 order by started_at desc;

-- name: snapshot
select id, run_id, configuration_id, app_id, destination_id, restic_snapshot_id, hostname, paths,
       status, files_new, files_changed, files_unmodified, data_added, total_size,
       round(duration)::bigint as duration, coalesce(failure ->> 'message', '') as error_message,
       unreadable_files, unreadable_count, started_at, completed_at, forgotten_at, created_at,
       tree, way
  from snapshot
 where id = $1;

-- name: copies
-- The snapshot, and those of the same content of the same run, wherever they can be restored.
select s.id as snapshot_id, s.destination_id, s.restic_snapshot_id, d.type,
       d.state = 'ready' and d.enabled as is_in_use,
       exists (select from damage g
                where g.destination_id = s.destination_id and g.cleared_at is null
                  and s.restic_snapshot_id = any(g.snapshot_ids)) as is_damaged
  from snapshot w
  join snapshot s on s.id = w.id
                  or s.run_id = w.run_id and w.tree <> '' and s.tree = w.tree
  join destination d on d.id = s.destination_id
 where w.id = $1 and s.restic_snapshot_id is not null and s.forgotten_at is null;

-- name: snapshots
-- A page, newest first, after a place or from the start.
select id, run_id, configuration_id, app_id, destination_id, restic_snapshot_id, hostname, paths,
       status, files_new, files_changed, files_unmodified, data_added, total_size,
       round(duration)::bigint as duration, coalesce(failure ->> 'message', '') as error_message,
       unreadable_files, unreadable_count, started_at, completed_at, forgotten_at, created_at,
       tree, way
  from snapshot
 where ($1::uuid is null or app_id = $1)
   and ($2::uuid is null or configuration_id = $2)
   and ($3::uuid is null or destination_id = $3)
   and ($4::text is null or status = $4)
   and ($5::timestamptz is null or (started_at, id) < ($5, $6))
 order by started_at desc, id desc
 limit $7;
