-- name: add_device
insert into device (id, name, type, site, ssh_host, ssh_port, ssh_user, ssh_host_key, sudo,
                    sealed_secrets, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: add_first_device
-- The machine itself, unless some device is known already.
insert into device (id, name, type, site, created_at)
select $1::uuid, $2::text, 'local', $3::text, $4::timestamptz
 where not exists (select from device)
on conflict do nothing;

-- name: devices
-- Some, or all for null.
select id, name, type, site, nullif(ssh_host, '') as ssh_host,
       case type when 'ssh' then ssh_port end as ssh_port,
       nullif(ssh_user, '') as ssh_user, nullif(ssh_host_key, '') as ssh_host_key,
       sudo, facts, tested_at, created_at
  from device
 where id = any($1::uuid[]) or $1::uuid[] is null
 order by name, id;

-- name: lock_device
select id from device where id = $1 for update;

-- name: update_device
update device
   set name = $2, ssh_host = $3, ssh_port = $4, ssh_user = $5, ssh_host_key = $6, sudo = $7,
       sealed_secrets = coalesce($8, sealed_secrets)
 where id = $1;

-- name: device_probed
-- The key that it showed is pinned, unless another was asked for meanwhile.
update device
   set facts = $2, tested_at = $3,
       ssh_host_key = case when ssh_host_key in ('', $5) then $4 else ssh_host_key end
 where id = $1;

-- name: device_secrets
-- What opens some, still sealed.
select id, sealed_secrets from device where id = any($1::uuid[]) and sealed_secrets is not null;

-- name: remove_device
delete from device where id = $1;
