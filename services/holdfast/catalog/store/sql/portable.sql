-- name: devices
select id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, jump_device_id, sudo,
       engine_socket, created_at
  from device
 order by id;

-- name: destinations
-- Those in use.
select id, name, type, enabled, local_device_id, local_path, parent_path, s3_endpoint, s3_bucket,
       s3_region, s3_prefix, s3_addressing, s3_ca_certificate, s3_lock_mode, s3_lock_days,
       sftp_host, sftp_port, sftp_user, sftp_path, sftp_host_key, repository_id, password_is_ours, prune_schedule, prune_timezone,
       check_schedule, verify_within_days, verify_budget_mib_per_day, max_runs, limits, append_only, created_at
  from destination
 where state = 'ready'
 order by id;

-- name: policies
select p.id, p.name, p.description, p.is_default, p.schedule, p.timezone, p.enabled,
       p.jitter_seconds, p.window_start, p.window_end, p.catch_up, p.fan_out,
       p.keep_last, p.keep_hourly,
       p.keep_daily, p.keep_weekly, p.keep_monthly, p.keep_yearly, p.created_at,
       array(select pd.destination_id from policy_destination pd
              where pd.policy_id = p.id order by pd.position) as destination_ids
  from policy p
 order by p.id;

-- name: apps
select id, name, device_id, paths, key, created_at from app order by id;

-- name: configurations
select id, app_id, is_system_backup, system_type, policy_id, backup_volumes, backup_compose,
       backup_env, include_paths, exclude_paths, consistency, drill, enabled, created_at
  from configuration
 -- Each instance has those of its own.
 where deleted_at is null and not is_system_backup
 order by id;

-- name: put_device
-- Without $2, what opens it stays.
insert into device (id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, sudo,
                    sealed_secrets, created_at, discover_at, jump_device_id,
                    engine_socket)
select id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, sudo, $2, created_at,
       case type when 'local' then created_at end, jump_device_id,
       coalesce(engine_socket, '')
  from jsonb_populate_record(null::device, $1)
on conflict (id) do update
   set name = excluded.name, type = excluded.type, site = excluded.site,
       ssh_host = excluded.ssh_host, ssh_port = excluded.ssh_port, ssh_user = excluded.ssh_user,
       ssh_host_key = excluded.ssh_host_key, sudo = excluded.sudo,
       jump_device_id = excluded.jump_device_id, engine_socket = excluded.engine_socket,
       sealed_secrets = coalesce(excluded.sealed_secrets, device.sealed_secrets);

-- name: put_destination
-- In use from now on.  Prunes are due from now on as well, and its object lock is kept up: $3 is
-- now, $4 the place in one line, $5 whether there is a second pair of keys among its secrets.
insert into destination (id, name, type, state, enabled, local_device_id, local_path, parent_path,
                         s3_endpoint, s3_bucket, s3_region, s3_prefix, s3_addressing,
                         s3_ca_certificate, sftp_host, sftp_port, sftp_user, sftp_path,
                         sftp_host_key, place, sealed_secrets, password_is_ours, repository_id,
                         prune_schedule, prune_timezone, last_prune_due_at,
                         check_schedule, verify_within_days, verify_budget_mib_per_day,
                         last_check_due_at, verify_since, max_runs, created_at, updated_at,
                         s3_lock_mode, s3_lock_days, protect_due_at, s3_has_maintenance,
                         limits, append_only)
select id, name, type, 'ready', enabled, local_device_id, local_path, parent_path,
       s3_endpoint, s3_bucket, s3_region, s3_prefix, s3_addressing,
       s3_ca_certificate, sftp_host, sftp_port, sftp_user, sftp_path,
       sftp_host_key, $4, $2, password_is_ours, repository_id,
       prune_schedule, prune_timezone, $3::timestamptz,
       check_schedule, verify_within_days, verify_budget_mib_per_day,
       $3::timestamptz, $3::timestamptz, max_runs, created_at, $3::timestamptz,
       s3_lock_mode, s3_lock_days, case when s3_lock_mode <> '' then $3::timestamptz end, $5,
       limits, append_only
  from jsonb_populate_record(null::destination, $1)
on conflict (id) do update
   set name = excluded.name, type = excluded.type, enabled = excluded.enabled,
       local_device_id = excluded.local_device_id, local_path = excluded.local_path,
       parent_path = excluded.parent_path, s3_endpoint = excluded.s3_endpoint,
       s3_bucket = excluded.s3_bucket, s3_region = excluded.s3_region,
       s3_prefix = excluded.s3_prefix, s3_addressing = excluded.s3_addressing,
       s3_ca_certificate = excluded.s3_ca_certificate, sftp_host = excluded.sftp_host,
       sftp_port = excluded.sftp_port, sftp_user = excluded.sftp_user,
       sftp_path = excluded.sftp_path, sftp_host_key = excluded.sftp_host_key,
       place = excluded.place, sealed_secrets = excluded.sealed_secrets,
       password_is_ours = excluded.password_is_ours, repository_id = excluded.repository_id,
       -- Another place is looked at anew.
       config_digest = case when destination.place = excluded.place
                            then destination.config_digest else '' end,
       prune_schedule = excluded.prune_schedule, prune_timezone = excluded.prune_timezone,
       check_schedule = excluded.check_schedule,
       verify_within_days = excluded.verify_within_days,
       verify_budget_mib_per_day = excluded.verify_budget_mib_per_day,
       s3_lock_mode = excluded.s3_lock_mode, s3_lock_days = excluded.s3_lock_days,
       protect_due_at = excluded.protect_due_at,
       -- Of another place, or under another lock, nothing is known yet.
       protected_at = case when destination.place = excluded.place
                            and destination.s3_lock_mode = excluded.s3_lock_mode
                            and destination.s3_lock_days = excluded.s3_lock_days
                           then destination.protected_at end,
       s3_has_maintenance = excluded.s3_has_maintenance,
       -- What was proved was proved of that place and that way.
       protects_from = case when destination.place = excluded.place
                             and destination.append_only = excluded.append_only
                            then destination.protects_from else '{}' end,
       protection_tested_at = case when destination.place = excluded.place
                                    and destination.append_only = excluded.append_only
                                   then destination.protection_tested_at end,
       limits = excluded.limits, append_only = excluded.append_only,
       max_runs = excluded.max_runs, updated_at = excluded.updated_at;

-- name: put_policy
-- $2 is now: only later times are due.
insert into policy (id, name, description, is_default, schedule, timezone, enabled,
                    jitter_seconds, window_start, window_end, catch_up, fan_out, keep_last,
                    keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly, schedule_changed_at,
                    created_at, updated_at)
select id, name, description, is_default, schedule, timezone, enabled,
       jitter_seconds, window_start, window_end, catch_up, fan_out,
       keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly, $2, created_at, $2
  from jsonb_populate_record(null::policy, $1)
on conflict (id) do update
   set name = excluded.name, description = excluded.description,
       is_default = excluded.is_default, schedule = excluded.schedule,
       timezone = excluded.timezone, enabled = excluded.enabled,
       jitter_seconds = excluded.jitter_seconds, window_start = excluded.window_start,
       window_end = excluded.window_end, catch_up = excluded.catch_up, fan_out = excluded.fan_out,
       keep_last = excluded.keep_last, keep_hourly = excluded.keep_hourly,
       keep_daily = excluded.keep_daily, keep_weekly = excluded.keep_weekly,
       keep_monthly = excluded.keep_monthly, keep_yearly = excluded.keep_yearly,
       schedule_changed_at = excluded.schedule_changed_at, updated_at = excluded.updated_at;

-- name: put_app
-- The app of a key that was found here under another id and name keeps it.
insert into app (id, name, device_id, paths, key, created_at)
select id, name, device_id, paths,
       case when exists (select from app a
                          where a.device_id = n.device_id and a.key = n.key and a.id <> n.id)
            then '' else coalesce(key, '') end,
       created_at
  from jsonb_populate_record(null::app, $1) n
on conflict (id) do update
   set name = excluded.name, device_id = excluded.device_id, paths = excluded.paths,
       key = excluded.key;

-- name: put_configuration
-- $2 is now: only later times are due.  One that was deleted, and has its history, comes back.
insert into configuration (id, app_id, is_system_backup, system_type, policy_id, backup_volumes,
                           backup_compose, backup_env, include_paths, exclude_paths, consistency,
                           drill, enabled, enabled_at, created_at, updated_at)
select id, app_id, is_system_backup, system_type, policy_id, backup_volumes, backup_compose,
       backup_env, include_paths, exclude_paths, coalesce(consistency, '{}'),
       coalesce(drill, '{}'), enabled, $2,
       created_at, $2
  from jsonb_populate_record(null::configuration, $1)
on conflict (id) do update
   set app_id = excluded.app_id, policy_id = excluded.policy_id,
       backup_volumes = excluded.backup_volumes, backup_compose = excluded.backup_compose,
       backup_env = excluded.backup_env, include_paths = excluded.include_paths,
       exclude_paths = excluded.exclude_paths, consistency = excluded.consistency,
       drill = excluded.drill, enabled = excluded.enabled,
       enabled_at = excluded.enabled_at, updated_at = excluded.updated_at, deleted_at = null;

-- name: move_places
-- Its place names the device that it is on.
update destination
   set place = replace(place, ($1::uuid)::text, ($2::uuid)::text)
 where local_device_id = $1;

-- name: rename_device
-- It takes the id that the file knows it by; what refers to it follows.  What opens it is sealed
-- anew ($4), because the seal is bound to the id.
update device set id = $2, created_at = $3, sealed_secrets = $4 where id = $1;

-- name: rename_policy
update policy set id = $2, created_at = $3 where id = $1;

-- name: rename_destination
-- Its secrets are sealed anew, because the seal is bound to the id.
update destination set id = $2, created_at = $3, sealed_secrets = $4 where id = $1;

-- name: rename_in_runs
update run
   set destination_ids = array_replace(destination_ids, $1, $2)
 where $1::uuid = any(destination_ids);

-- name: manifest_digest
-- Of all settings, as rows: equal when no setting has changed.
select md5(coalesce(string_agg(line, E'\n' order by line), '')) from (
    select row('device', id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, sudo,
               jump_device_id, engine_socket)::text as line
      from device
    union all
    select row('app', id, name, device_id, paths, key)::text from app
    union all
    select row('policy', p.*)::text from policy p
    union all
    select row('listed', pd.*)::text from policy_destination pd
    union all
    select row('configuration', id, app_id, is_system_backup, system_type, policy_id, backup_volumes,
               backup_compose, backup_env, include_paths, exclude_paths, consistency, drill,
               enabled, created_at)::text
      from configuration
     where deleted_at is null
    union all
    select row('destination', id, name, type, enabled, place, local_device_id, sftp_host_key,
               s3_addressing, s3_ca_certificate, s3_lock_mode, s3_lock_days, repository_id,
               password_is_ours, prune_schedule, prune_timezone, check_schedule, verify_within_days, verify_budget_mib_per_day,
               max_runs)::text
      from destination where state = 'ready') as lines;

-- name: manifest_due
select id from destination where id = any($1::uuid[]) and manifest_digest <> $2;

-- name: manifest_kept
update destination set manifest_digest = $2 where id = $1;

-- name: add_found_manifest
insert into found_manifest (run_id, export)
values ($1, $2)
on conflict (run_id) do update set export = excluded.export;

-- name: take_found_manifest
delete from found_manifest where run_id = $1 returning export;
