-- name: lock_policies
-- One writer at a time, so that there is one default policy at every moment.  Readers, and
-- configurations that refer to a policy, go on.
lock table policy in share row exclusive mode;

-- name: add_policy
insert into policy (id, name, description, is_default, schedule, timezone, enabled,
                    jitter_seconds, window_start, window_end, catch_up, fan_out,
                    keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly,
                    schedule_changed_at, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $19, $19);

-- name: add_first_policy
-- The default policy, unless there is one.
insert into policy (id, name, description, is_default, schedule, timezone,
                    keep_daily, keep_weekly, keep_monthly,
                    schedule_changed_at, created_at, updated_at)
select $1::uuid, $2::text, $3::text, true, $4::text, $5::text,
       $6::integer, $7::integer, $8::integer,
       $9::timestamptz, $9::timestamptz, $9::timestamptz
 where not exists (select from policy where is_default)
on conflict do nothing;

-- name: policies
-- Some, or all for null, each with its destinations in their order.
select p.id, p.name, p.description, p.is_default, p.schedule, p.timezone, p.enabled,
       p.jitter_seconds, p.window_start, p.window_end, p.catch_up, p.fan_out,
       p.keep_last, p.keep_hourly, p.keep_daily, p.keep_weekly, p.keep_monthly, p.keep_yearly,
       p.created_at, p.updated_at,
       coalesce(
           (select jsonb_agg(jsonb_build_object('id', d.id, 'name', d.name, 'type', d.type)
                             order by pd.position)
              from policy_destination pd
              join destination d on d.id = pd.destination_id
             where pd.policy_id = p.id),
           '[]'::jsonb) as destinations
  from policy p
 where p.id = any($1::uuid[]) or $1::uuid[] is null
 order by p.name, p.id;

-- name: lock_policy
-- Its row until the transaction ends: no configuration can begin to use it meanwhile.
select id from policy where id = $1 for update;

-- name: default_policy_id
select id from policy where is_default;

-- name: unset_default
-- Another policy becomes the default: the one that was loses the mark, and is told.
update policy
   set is_default = false, updated_at = $2
 where is_default and id <> $1
returning id;

-- name: update_policy
-- $20 is the moment when the schedule began to count anew, or null when it goes on.
update policy
   set name = $2, description = $3, is_default = $4, schedule = $5, timezone = $6, enabled = $7,
       jitter_seconds = $8, window_start = $9, window_end = $10, catch_up = $11,
       fan_out = $12, keep_last = $13, keep_hourly = $14, keep_daily = $15, keep_weekly = $16,
       keep_monthly = $17, keep_yearly = $18, updated_at = $19,
       schedule_changed_at = coalesce($20, schedule_changed_at)
 where id = $1;

-- name: touch_policy
update policy set updated_at = $2 where id = $1;

-- name: delete_policy
delete from policy where id = $1;

-- name: apps_of_policy
-- Who uses it, by name: the system's own backups have no app.
select distinct coalesce(a.name, c.system_type, 'system') as name
  from configuration c
  left join app a on a.id = c.app_id
 where c.policy_id = $1 and c.deleted_at is null
 order by name;

-- name: ready_destinations
-- Those of the list that can be used; they cannot be removed before the transaction ends.
select id from destination where id = any($1::uuid[]) and state = 'ready' for key share;

-- name: clear_destinations
delete from policy_destination where policy_id = $1;

-- name: set_destinations
insert into policy_destination (policy_id, destination_id, position)
select $1, listed.id, listed.position
  from unnest($2::uuid[]) with ordinality as listed (id, position);

-- name: default_policy_without_destination
-- The default policy, if the first destination is to be attached to it.
select p.id
  from policy p
 where p.is_default
   and not exists (select from policy_destination pd where pd.policy_id = p.id);

-- name: policies_of_destination
select p.id, p.name
  from policy p
  join policy_destination pd on pd.policy_id = p.id
 where pd.destination_id = $1
 order by p.name;

-- name: detach_destination
delete from policy_destination where destination_id = $1;
