-- name: add_device
insert into device (id, name, type, site, created_at)
values ($1, $2, $3, $4, $5);

-- name: add_first_device
-- The machine itself, unless some device is known already.
insert into device (id, name, type, site, created_at)
select $1::uuid, $2::text, 'local', $3::text, $4::timestamptz
 where not exists (select from device)
on conflict do nothing;

-- name: devices
select id, name, type, site, created_at
  from device
 order by name, id;

-- name: devices_by_id
select id, name, type, site, created_at
  from device
 where id = any($1::uuid[]);
