-- name: add_app
insert into app (id, name, device_id, paths, created_at)
values ($1, $2, $3, $4, $5);

-- name: apps
select id, name, device_id, paths, found, vanished_at, created_at,
       (select max(completed_at) from run
         where operation = 'drill' and status in ('success', 'partial')
           and app_id = app.id) as last_proved_restorable_at
  from app
 order by name, id;

-- name: apps_by_id
select id, name, device_id, paths, found, vanished_at, created_at,
       (select max(completed_at) from run
         where operation = 'drill' and status in ('success', 'partial')
           and app_id = app.id) as last_proved_restorable_at
  from app
 where id = any($1::uuid[]);

-- name: lock_found_apps
-- Those that a discovery of the device has found before.
select id, name, key, found, vanished_at
  from app
 where device_id = $1 and key <> ''
 order by id
   for update;

-- name: names_taken
-- Of those that begin so.
select name from app where starts_with(name, $1);

-- name: add_found_app
insert into app (id, name, device_id, paths, key, found, created_at)
values ($1, $2, $3, $4, $5, $6, $7);

-- name: app_found_again
update app set found = $2, paths = $3, vanished_at = null where id = $1;

-- name: app_vanished
update app set vanished_at = $2 where id = $1;

-- name: good_backups
-- When each path of each configuration was last backed up without a flaw.
select configuration_id, path, max(completed_at) as completed_at
  from snapshot, unnest(paths) as path
 where status = 'success' and restic_snapshot_id is not null and forgotten_at is null
   and configuration_id is not null
 group by configuration_id, path;

-- name: app_statuses
select a.id as app_id, a.name, c.id as configuration_id, good.last_success_at,
       newest.status as last_status
  from app a
  left join lateral (
       select id from configuration
        where app_id = a.id and deleted_at is null and enabled
        order by created_at limit 1) c on true
  left join lateral (
       select max(completed_at) as last_success_at from snapshot
        where app_id = a.id and restic_snapshot_id is not null) good on true
  left join lateral (
       select status from run
        where app_id = a.id and operation = 'backup'
        order by queued_at desc limit 1) newest on true
 order by a.name;
