-- name: add_instance
-- The first catalog that starts names the instance; later ones change nothing.
insert into instance (id, created_at)
values ($1, $2)
on conflict do nothing;

-- name: instance_id
select id from instance;

-- name: kit_was_made
update instance set recovery_kit_at = $1;

-- name: kit_state
select i.recovery_kit_at as made_at,
       coalesce(bool_or(d.id is not null), false) as wanted,
       coalesce(bool_or(not d.in_recovery_kit), false) as lacks_some
  from instance i
  left join destination d on d.state = 'ready'
 group by i.recovery_kit_at;
