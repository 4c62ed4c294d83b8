-- name: add_app
insert into app (id, name, device_id, paths, created_at)
values ($1, $2, $3, $4, $5);

-- name: apps
select id, name, device_id, paths, created_at
  from app
 order by name, id;

-- name: apps_by_id
select id, name, device_id, paths, created_at
  from app
 where id = any($1::uuid[]);

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
