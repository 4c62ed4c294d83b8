-- name: lock_keys
-- One process at a time looks for keys and makes what is missing.
lock table data_key in share row exclusive mode;

-- name: master_keys
-- Oldest first.
select id, kind, parameters, created_at
  from master_key
 order by created_at, id;

-- name: add_master_key
-- A first start that broke off may have left it.
insert into master_key (id, kind, parameters, created_at)
values ($1, $2, $3, $4)
on conflict do nothing;

-- name: drop_other_master_keys
-- What they wrapped goes with them.
delete from master_key where id <> $1 returning id;

-- name: data_keys
select count(*) from data_key;

-- name: wrapped_keys
-- Newest first: the first seals, all of them open.
select k.id, w.master_key_id, w.wrapped
  from data_key k
  join wrapped_key w on w.data_key_id = k.id
 where w.master_key_id = $1
 order by k.created_at desc, k.id desc;

-- name: add_data_key
insert into data_key (id, created_at) values ($1, $2);

-- name: add_wrapped_key
insert into wrapped_key (data_key_id, master_key_id, wrapped) values ($1, $2, $3);

-- name: secrets
select (select count(*) from destination)
     + (select count(next_password) + count(old_password) from destination)
     + (select count(*) from receiver_key);

-- name: receiver_key
select sealed_private from receiver_key;

-- name: add_receiver_key
insert into receiver_key (sealed_private)
values ($1);
