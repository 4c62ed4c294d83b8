-- name: add_event
-- The notification goes out with the commit.
with added as (
    insert into outbox (event_id, type, payload) values ($1, $2, $3)
)
select pg_notify('holdfast_outbox', '');

-- name: take_events
select id, event_id, type, payload
  from outbox
 where set_aside_at is null
 order by id
 limit $1
   for update skip locked;

-- name: drop_events
delete from outbox where id = any($1::bigint[]);

-- name: set_aside_event
update outbox set set_aside_at = $2, set_aside_reason = $3 where id = $1;

-- name: count_set_aside
select count(*) from outbox where set_aside_at is not null;
