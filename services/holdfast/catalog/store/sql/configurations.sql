-- name: tie
-- Tie an app to a policy.  The tie that exists already is changed; one that was off and is
-- switched on counts due times from now.
insert into configuration (id, app_id, policy_id, backup_volumes, backup_compose, backup_env,
                           include_paths, exclude_paths, consistency, drill, enabled,
                           enabled_at, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $12)
on conflict (app_id, policy_id) where deleted_at is null
do update
   set backup_volumes = excluded.backup_volumes,
       backup_compose = excluded.backup_compose,
       backup_env = excluded.backup_env,
       include_paths = excluded.include_paths,
       exclude_paths = excluded.exclude_paths,
       consistency = excluded.consistency,
       drill = excluded.drill,
       drill_due_at = case when excluded.drill is distinct from configuration.drill
                           then excluded.enabled_at else configuration.drill_due_at end,
       enabled = excluded.enabled,
       enabled_at = case when excluded.enabled and not configuration.enabled
                         then excluded.enabled_at else configuration.enabled_at end,
       updated_at = excluded.updated_at
returning id, app_id, is_system_backup, system_type, policy_id,
          backup_volumes, backup_compose, backup_env, include_paths, exclude_paths, consistency,
          drill, enabled, created_at, updated_at,
          (select to_jsonb(p) from proof p where p.configuration_id = configuration.id) as last_proof;

-- name: add_system
-- Unless there is, or was, one of that kind.
insert into configuration (id, is_system_backup, system_type, policy_id, enabled, enabled_at,
                           created_at, updated_at)
values ($1, true, $2, $3, true, $4, $4, $4)
on conflict do nothing
returning id;

-- name: configurations
-- Those of an app, or all for null.
select id, app_id, is_system_backup, system_type, policy_id,
       backup_volumes, backup_compose, backup_env, include_paths, exclude_paths, consistency,
       drill, enabled, created_at, updated_at,
       (select to_jsonb(p) from proof p where p.configuration_id = configuration.id) as last_proof
  from configuration
 where deleted_at is null
   and (app_id = $1 or $1::uuid is null)
 order by created_at, id;

-- name: configuration
select id, app_id, is_system_backup, system_type, policy_id,
       backup_volumes, backup_compose, backup_env, include_paths, exclude_paths, consistency,
       drill, enabled, created_at, updated_at,
       (select to_jsonb(p) from proof p where p.configuration_id = configuration.id) as last_proof
  from configuration
 where id = $1 and deleted_at is null;

-- name: lock_configurations
select id, app_id, is_system_backup, system_type, policy_id,
       backup_volumes, backup_compose, backup_env, include_paths, exclude_paths, consistency,
       drill, enabled, created_at, updated_at,
       (select to_jsonb(p) from proof p where p.configuration_id = configuration.id) as last_proof
  from configuration
 where id = any($1::uuid[]) and deleted_at is null
 order by id
   for update;

-- name: update_configuration
-- $12 is the moment from which due times count, or null when they go on counting.
update configuration
   set policy_id = $2, backup_volumes = $3, backup_compose = $4, backup_env = $5,
       include_paths = $6, exclude_paths = $7, consistency = $8, drill = $9, enabled = $10,
       updated_at = $11, enabled_at = coalesce($12, enabled_at),
       drill_due_at = case when drill is distinct from $9 then $11 else drill_due_at end
 where id = $1
returning id, app_id, is_system_backup, system_type, policy_id,
          backup_volumes, backup_compose, backup_env, include_paths, exclude_paths, consistency,
          drill, enabled, created_at, updated_at,
          (select to_jsonb(p) from proof p where p.configuration_id = configuration.id) as last_proof;

-- name: delete_configuration
-- The row stays for its runs and snapshots; it is no longer due, and its tie is free again.
update configuration
   set deleted_at = $2, updated_at = $2, enabled = false
 where id = $1 and deleted_at is null
returning id;

-- name: bring_back
-- Only tags tell of it: it is switched off.
insert into configuration (id, app_id, policy_id, enabled, enabled_at, created_at, updated_at)
select $1::uuid, $2::uuid, $3::uuid, false, $4::timestamptz, $4::timestamptz, $4::timestamptz
 where not exists (
       select from configuration where app_id = $2 and policy_id = $3 and deleted_at is null);

-- name: bring_back_deleted
-- Its app has one with that policy already: it is there for its snapshots alone.
insert into configuration (id, app_id, policy_id, enabled, enabled_at, deleted_at, created_at,
                           updated_at)
values ($1, $2, $3, false, $4, $4, $4, $4)
on conflict (id) do nothing;
