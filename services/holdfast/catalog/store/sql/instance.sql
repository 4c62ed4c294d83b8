-- name: add_instance
-- The first catalog that starts names the instance; later ones change nothing.
insert into instance (id, created_at)
values ($1, $2)
on conflict do nothing;

-- name: instance_id
select id from instance;

-- name: lock_keys
-- One process at a time looks for keys and makes what is missing.
lock table data_key in share row exclusive mode;

-- name: data_keys
-- Newest first: the first seals, all of them open.
select id, master_key_id, wrapped
  from data_key
 order by created_at desc, id desc;

-- name: add_data_key
insert into data_key (id, master_key_id, wrapped, created_at)
values ($1, $2, $3, $4);

-- name: key_parameters
select parameters from master_key_parameters;

-- name: add_key_parameters
insert into master_key_parameters (parameters)
values ($1);

-- name: receiver_key
select sealed_private from receiver_key;

-- name: add_receiver_key
insert into receiver_key (sealed_private)
values ($1);
