-- name: add_app
insert into app (id, name, device_id, paths, created_at)
values ($1, $2, $3, $4, $5);

-- name: apps
select id, name, device_id, paths, created_at
  from app
 order by name, id;

-- name: app
select id, name, device_id, paths, created_at
  from app
 where id = $1;
