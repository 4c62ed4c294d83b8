-- name: add_event
-- The notification goes out with the commit.
with added as (
    insert into outbox (event_id, type, payload) values ($1, $2, $3)
)
select pg_notify('holdfast_outbox', '');

-- name: take_events
select id, event_id, type, payload
  from outbox
 order by id
 limit $1
   for update skip locked;

-- name: drop_events
delete from outbox where id = any($1::bigint[]);
