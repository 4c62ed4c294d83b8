-- name: add_destination
-- Not seen by anybody until its init run has succeeded.
insert into destination (id, name, type, state, s3_endpoint, s3_bucket, s3_region, s3_prefix,
                         local_device_id, parent_path, local_path, place,
                         sealed_secrets, password_is_ours, prune_timezone,
                         created_at, updated_at, max_runs, s3_addressing, s3_ca_certificate,
                         sftp_host, sftp_port, sftp_user, sftp_path, sftp_host_key, verify_since,
                         s3_lock_mode, s3_lock_days, s3_has_maintenance, limits, append_only)
values ($1, $2, $3, 'adding', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16,
        $17, $18, $19, $20, $21, $22, $23, $15, $24, $25, $26, $27, $28);

-- name: destinations
-- One, or all for null, with what can be restored from them.
select d.id, d.name, d.type, d.enabled, d.repository_id <> '' as repo_initialized,
       d.repository_id,
       nullif(d.s3_endpoint, '') as s3_endpoint, nullif(d.s3_bucket, '') as s3_bucket,
       nullif(d.s3_region, '') as s3_region, nullif(d.s3_prefix, '') as s3_prefix,
       case when d.s3_lock_mode <> ''
            then jsonb_build_object('mode', d.s3_lock_mode, 'days', d.s3_lock_days)
       end as object_lock,
       d.protected_at, d.s3_has_maintenance as has_maintenance_credentials,
       case d.type when 's3' then d.s3_addressing end as s3_addressing,
       nullif(d.s3_ca_certificate, '') as s3_ca_certificate,
       nullif(d.sftp_host, '') as sftp_host,
       case d.type when 'sftp' then d.sftp_port end as sftp_port,
       nullif(d.sftp_user, '') as sftp_user, nullif(d.sftp_path, '') as sftp_path,
       nullif(d.sftp_host_key, '') as sftp_host_key,
       d.local_device_id, nullif(d.local_path, '') as local_path,
       d.prune_schedule, d.max_runs, d.limits, d.append_only, d.protects_from, d.protection_tested_at,
       total.snapshots as total_snapshots, d.repository_size as total_size,
       total.last_backup_at, d.created_at, d.updated_at, d.checked_at,
       case when known.damaged_since is not null then 'damaged'
            when d.checked_at is null then 'unknown' else 'ok' end as health,
       known.damaged_since,
       coalesce(measured.restore_size, 0) as total_restore_size,
       coalesce(measured.compression_ratio, 0) as compression_ratio
  from destination d
 cross join lateral (
       select min(g.found_at) as damaged_since
         from damage g
        where g.destination_id = d.id and g.cleared_at is null) known
  left join lateral (
       select m.restore_size, m.compression_ratio
         from repository_stats m
        where m.destination_id = d.id
        order by m.day desc
        limit 1) measured on true
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
   set state = 'ready', repository_id = $2, config_digest = $3, sftp_host_key = $4,
       updated_at = $5::timestamptz,
       protect_due_at = case when s3_lock_mode <> '' then $5::timestamptz end
 where id = $1 and state = 'adding'
returning id;

-- name: retire_failed_destination
-- An executor was at it: the repository may be there, and only this row knows its password.
update destination
   set state = 'removed', enabled = false, updated_at = $2
 where id = $1 and state = 'adding' and password_is_ours
returning id;

-- name: drop_former_failures
-- One row is enough: each of them got the password of the one before.
delete from destination former
 using destination d
 where d.id = $1 and former.id <> d.id and former.place = d.place
   and former.state = 'removed' and former.repository_id = '' and former.password_is_ours;

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
-- A path on a device that is reached over SSH is reached by SFTP, with the device's login.
select d.id as destination_id, d.name,
       case when far then 'sftp' else d.type end as type,
       case when far then '' else d.local_path end as local_path,
       d.s3_endpoint, d.s3_bucket, d.s3_region, d.s3_prefix, d.s3_addressing,
       d.s3_ca_certificate,
       case when far then v.ssh_host else d.sftp_host end as sftp_host,
       case when far then v.ssh_port else d.sftp_port end as sftp_port,
       case when far then v.ssh_user else d.sftp_user end as sftp_user,
       case when far then d.local_path else d.sftp_path end as sftp_path,
       case when far then v.ssh_host_key else d.sftp_host_key end as sftp_host_key,
       case when far then w.jumps else '[]' end as sftp_jumps,
       d.config_digest, d.repository_id, d.password_is_ours as cheap_key,
       case when d.s3_lock_mode <> ''
            then jsonb_build_object('mode', d.s3_lock_mode, 'days', d.s3_lock_days)
       end as object_lock,
       d.limits, d.append_only
  from destination d
  left join device v on v.id = d.local_device_id
 cross join lateral (select coalesce(v.type = 'ssh', false) as far) reached
 cross join lateral (select coalesce(jsonb_agg(jsonb_build_object(
                            'device_id', j.id, 'name', j.name, 'host', j.ssh_host,
                            'port', j.ssh_port, 'user', j.ssh_user,
                            'host_key', j.ssh_host_key) order by j.step desc), '[]') as jumps
                       from jump j where j.device_id = v.id) w
 where d.id = any($1::uuid[]) and (d.enabled or not $2);

-- name: devices_of
-- On which device each of them is, for those that are on one.
select id, local_device_id
  from destination
 where id = any($1::uuid[]) and local_device_id is not null;

-- name: first_destination
-- Whose way to cut files all others take.
select id from destination where state = 'ready' order by created_at, id limit 1;

-- name: siblings
-- All others that are in use.
select id from destination where state = 'ready' and enabled and id <> $1 order by created_at, id;

-- name: sites
-- Which executors reach them: those of the device, or null when any does.
select d.id, v.site
  from destination d
  left join device v on v.id = d.local_device_id
 where d.id = any($1::uuid[]);

-- name: sealed_secrets
-- For a run: the one that tries new credentials gets these.
select d.id, coalesce(c.sealed_secrets, d.sealed_secrets) as sealed_secrets
  from destination d
  left join credential_change c on c.destination_id = d.id and c.run_id = $2
 where d.id = any($1::uuid[]);

-- name: change_destination
-- What people may change without a test.
update destination
   set name = $2, enabled = $3, max_runs = $4, updated_at = $5, limits = $6, append_only = $7,
       -- What was proved was proved of the other way.
       protects_from = case when append_only = $7 then protects_from else '{}' end,
       protection_tested_at = case when append_only = $7 then protection_tested_at end
 where id = $1;

-- name: password_is_ours
select password_is_ours from destination where id = $1;

-- name: add_change
insert into credential_change (run_id, destination_id, sealed_secrets, password_is_ours,
                               s3_ca_certificate, has_maintenance)
values ($1, $2, $3, $4, $5, $6);

-- name: tries_change
select exists(select from credential_change where run_id = $1);

-- name: take_change
-- The run has reached the same repository with them.  No row: it tried none.
with change as (delete from credential_change where run_id = $1 returning *)
update destination d
   set sealed_secrets = change.sealed_secrets, password_is_ours = change.password_is_ours,
       s3_ca_certificate = change.s3_ca_certificate,
       s3_has_maintenance = change.has_maintenance, sftp_host_key = $2, updated_at = $3
  from change
 where d.id = change.destination_id
returning d.id;

-- name: drop_change
delete from credential_change where run_id = $1;

-- name: recognised
-- restic has opened it and found the same repository behind this config.
update destination set config_digest = $2 where id = $1;

-- name: prune_needed
update destination set prune_needed = true where id = $1;

-- name: pruned
update destination
   set prune_needed = false, repository_size = $2, last_pruned_at = $3
 where id = $1;

-- name: needs_prune
select prune_needed from destination where id = $1 and state = 'ready';

-- name: protect_due
-- Whose object lock is to be kept up by now, and nobody is at it or about to be.
select d.id
  from destination d
 where d.state = 'ready'
   and d.protect_due_at <= $1
   and not exists (select 1
                     from run r
                    where r.status in ('queued', 'in_progress')
                      and r.operation = 'protect'
                      and d.id = any(r.destination_ids));

-- name: protect_at
-- Sooner than planned, never later, and not where there is no lock.
update destination
   set protect_due_at = least(protect_due_at, $2::timestamptz)
 where id = $1 and protect_due_at is not null;

-- name: protect_queued
update destination set protect_due_at = $2 where id = $1;

-- name: protected
update destination set protected_at = greatest(protected_at, $2::timestamptz) where id = $1;

-- name: take_into_kit
-- One a place: the one in use, or else the last that was.
with shown as (
    select distinct on (place) id
      from destination
     where state <> 'adding'
     order by place, state = 'ready' desc, updated_at desc)
update destination d
   set in_recovery_kit = true
  from shown
 where d.id = shown.id
returning d.id, d.name, d.state = 'ready' as in_use, d.sealed_secrets,
          coalesce((select v.name from device v where v.id = d.local_device_id), '') as device;

-- name: identified
update destination set repository_id = $2 where id = $1 and repository_id = '';
