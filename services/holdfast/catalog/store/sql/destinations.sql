-- name: add_destination
-- Not seen by anybody until its init run has succeeded.
insert into destination (id, name, type, state, s3_endpoint, s3_bucket, s3_region, s3_prefix,
                         local_device_id, local_parent_path, local_path, place,
                         sealed_secrets, password_is_ours, prune_timezone,
                         created_at, updated_at, max_runs, limits, append_only)
values ($1, $2, $3, 'adding', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17, $18);

-- name: destinations
-- One, or all for null, with what can be restored from them.
select d.id, d.name, d.type, d.enabled, d.repository_id <> '' as repo_initialized,
       d.repository_id,
       nullif(d.s3_endpoint, '') as s3_endpoint, nullif(d.s3_bucket, '') as s3_bucket,
       nullif(d.s3_region, '') as s3_region, nullif(d.s3_prefix, '') as s3_prefix,
       d.local_device_id, nullif(d.local_path, '') as local_path,
       d.prune_schedule, d.max_runs, d.limits, d.append_only,
       d.protects_from, d.protection_tested_at, total.snapshots as total_snapshots, d.repository_size as total_size,
       total.last_backup_at, d.created_at, d.updated_at
  from destination d
 cross join lateral (
       select count(*) as snapshots, max(s.completed_at) as last_backup_at
         from snapshot s
        where s.destination_id = d.id
          and s.restic_snapshot_id is not null
          and s.forgotten_at is null) total
 where d.state = 'ready'
   and (d.id = $1 or $1::uuid is null)
 order by d.name, d.id;

-- name: lock_destination
-- The row of a destination in use, until the transaction ends.
select id, name from destination where id = $1 and state = 'ready' for update;

-- name: update_destination
-- What is null stays.
update destination
   set max_runs = coalesce($2, max_runs), limits = coalesce($3, limits),
       append_only = coalesce($4, append_only), updated_at = $5,
       -- What was proved was proved of the other way.
       protects_from = case when append_only = coalesce($4, append_only)
                            then protects_from else '{}' end,
       protection_tested_at = case when append_only = coalesce($4, append_only)
                                   then protection_tested_at end
 where id = $1;

-- name: protection_tested
-- By an attack on the way that backups take now; one that began before a change proves nothing.
update destination
   set protects_from = $2, protection_tested_at = $3
 where id = $1 and append_only = $4;

-- name: ours_before
-- The secrets of the last destination at this place that was removed, if the password was
-- made by Holdfast: nobody else can open the repository that is still there.
select id, sealed_secrets
  from destination
 where place = $1 and state = 'removed' and password_is_ours
 order by updated_at desc
 limit 1;

-- name: destination_is_ready
-- Its init run has succeeded.  No row: it was told before.
update destination
   set state = 'ready', repository_id = $2, updated_at = $3
 where id = $1 and state = 'adding'
returning id;

-- name: drop_failed_destination
delete from destination where id = $1 and state = 'adding';

-- name: unfinished_runs
select count(*)
  from run
 where status in ('queued', 'in_progress')
   and $1::uuid = any(destination_ids);

-- name: remove_destination
update destination
   set state = 'removed', enabled = false, updated_at = $2
 where id = $1;

-- name: addresses
-- Where they are, whether in use or not: a removed destination is still restored from.
select id as destination_id, name, type, local_path, s3_endpoint, s3_bucket, s3_region,
       s3_prefix, repository_id, password_is_ours as cheap_key, limits, append_only
  from destination
 where id = any($1::uuid[]) and (enabled or not $2);

-- name: sites
-- Which executors reach them: those of the device, or null when any does.
select d.id, v.site
  from destination d
  left join device v on v.id = d.local_device_id
 where d.id = any($1::uuid[]);

-- name: sealed_secrets
select id, sealed_secrets
  from destination
 where id = any($1::uuid[]);

-- name: prune_needed
update destination set prune_needed = true where id = $1;

-- name: pruned
update destination
   set prune_needed = false, repository_size = $2, last_pruned_at = $3
 where id = $1;

-- name: needs_prune
select prune_needed from destination where id = $1 and state = 'ready';
