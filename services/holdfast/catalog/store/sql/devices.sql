-- name: add_device
insert into device (id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, sudo,
                    sealed_secrets, created_at, discover_at, jump_device_id,
                    engine_socket)
values ($1, $2, $3::text, $4, $5, $6, $7, $8, $9, $10, $11::timestamptz,
        case when $3::text = 'local' then $11::timestamptz end, $12, $13);

-- name: add_first_device
-- The machine itself, unless some device is known already.
insert into device (id, name, type, site, discover_at, created_at)
select $1::uuid, $2::text, 'local', $3::text, $4::timestamptz, $4::timestamptz
 where not exists (select from device)
on conflict do nothing;

-- name: devices
-- Some, or all for null.
select id, name, type, site, nullif(ssh_host, '') as ssh_host,
       case type when 'ssh' then ssh_port end as ssh_port,
       nullif(ssh_user, '') as ssh_user, nullif(ssh_host_key, '') as ssh_host_key,
       sudo, engine_socket, jump_device_id, facts, tested_at, unseen_since, created_at,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'device_id', j.id, 'name', j.name, 'host', j.ssh_host,
                            'port', j.ssh_port, 'user', j.ssh_user,
                            'host_key', j.ssh_host_key) order by j.step desc)
                   from jump j where j.device_id = device.id), '[]') as jumps
  from device
 where id = any($1::uuid[]) or $1::uuid[] is null
 order by name, id;

-- name: lock_device
select id from device where id = $1 for update;

-- name: update_device
update device
   set name = $2, ssh_host = $3, ssh_port = $4, ssh_user = $5, ssh_host_key = $6, sudo = $7,
       sealed_secrets = coalesce($8, sealed_secrets), jump_device_id = $9,
       engine_socket = $10
 where id = $1;

-- name: device_probed
-- The key that it showed is pinned, unless another was asked for meanwhile.
update device
   set facts = $2, tested_at = $3, discover_at = case when $6::boolean then coalesce(discover_at, $3) end,
       ssh_host_key = case when ssh_host_key in ('', $5) then $4 else ssh_host_key end
 where id = $1;

-- name: device_secrets
-- What opens some, still sealed.
select id, sealed_secrets from device where id = any($1::uuid[]) and sealed_secrets is not null;

-- name: jump_secrets
-- What opens the devices on the way to some, the first one first, still sealed.
select device_id, id, sealed_secrets from jump
 where device_id = any($1::uuid[]) and sealed_secrets is not null
 order by device_id, step desc;

-- name: lock_ways
-- Of two changes of ways at once, each harmless, a ring could come.
select pg_advisory_xact_lock(hashtext('holdfast jump hosts'));

-- name: too_far
-- Those whose way is too long, or a ring.
select d.name from jump j join device d on d.id = j.device_id where j.step = 6 order by d.name;

-- name: reached_through
select name from device where jump_device_id = $1 and id <> $1 order by name;

-- name: drilled_on
select coalesce(a.name, c.system_type) as name
  from configuration c left join app a on a.id = c.app_id
 where c.drill ->> 'device_id' = $1::uuid::text and c.deleted_at is null
 order by 1;

-- name: remove_device
delete from device where id = $1;

-- name: discover_due
-- None of which a discovery is under way.
select d.id
  from device d
 where d.discover_at <= $1
   and not exists (select from run r
                    where r.device_id = d.id and r.operation = 'discover'
                      and r.status in ('queued', 'in_progress'))
 order by d.id;

-- name: discover_at
-- Only sooner or later, where it is to be at all.
update device set discover_at = $2 where id = $1 and discover_at is not null;

-- name: discovered
-- No row: something newer is on record, by a clock that is not ahead of ours ($3).
update device set discovered_at = $2
 where id = $1 and (discovered_at is null or discovered_at < $2 or discovered_at > $3)
returning id;

-- name: look_failed
update device set unseen_since = coalesce(unseen_since, $2), looks_failed = looks_failed + 1
 where id = $1
returning name, unseen_since, looks_failed;

-- name: look_succeeded
update device set unseen_since = null, looks_failed = 0 where id = $1 and looks_failed > 0;

-- name: has_found_apps
select exists (select from app where device_id = $1 and key <> '' and vanished_at is null);

-- name: discover_soon
update device set discover_at = least(discover_at, $2) where id = $1 and discover_at is not null;

-- name: loose
select id, loose from device;

-- name: set_loose
update device set loose = $2 where id = $1;

-- name: unprotected
select unprotected from device where id = $1;

-- name: set_unprotected
update device set unprotected = $2 where id = $1;

-- name: drop_old_discoveries
-- Of those that nobody asked for, only the newest is kept: there is one every minute.
delete from run
 where device_id = $1 and operation = 'discover' and trigger = 'schedule' and id <> $2
   and status in ('success', 'partial', 'failed', 'cancelled');

-- name: repositories_on
-- Where a device has repositories.
select local_path from destination
 where local_device_id = $1 and type = 'local' and state <> 'removed' and local_path <> '';
