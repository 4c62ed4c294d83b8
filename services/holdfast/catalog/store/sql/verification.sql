-- name: check_was_due
-- No row: it is not in use, or switched off.
update destination
   set last_check_due_at = greatest(coalesce(last_check_due_at, $2), $2)
 where id = $1 and state = 'ready' and enabled
returning id;

-- name: promise
select verify_within_days as within_days, verify_budget_mib_per_day as budget_mib_per_day,
       repository_size, verify_since as since, check_schedule, prune_timezone as timezone,
       checked_at
  from destination
 where id = $1 and state = 'ready';

-- name: set_promise
-- Days that are other than before count from now: nobody could have kept them yesterday.
update destination
   set verify_since = case when verify_within_days > $2 then $5 else verify_since end,
       verify_within_days = $2, verify_budget_mib_per_day = $3, check_schedule = $4,
       updated_at = $5
 where id = $1 and state = 'ready'
returning id;

-- name: readings
select parts, part, read_at from part_reading where destination_id = $1 order by read_at;

-- name: add_readings
insert into part_reading (destination_id, parts, part, read_at, run_id)
select $1, $2, part, $4, $5 from unnest($3::integer[]) as read (part)
on conflict (destination_id, parts, part) do update
   set read_at = excluded.read_at, run_id = excluded.run_id
 where part_reading.read_at < excluded.read_at;

-- name: was_checked
update destination set checked_at = greatest(coalesce(checked_at, $2), $2) where id = $1;

-- name: add_damage
-- Rows for what was not known before.
insert into damage (destination_id, pack, missing, snapshot_ids, found_at, run_id)
select $1, pack, missing, $4, $5, $6
  from unnest($2::text[], $3::boolean[]) as found (pack, missing)
on conflict (destination_id, pack) where cleared_at is null do nothing
returning pack;

-- name: clear_damage
-- A sound look takes back what it would have seen: the structure always, of the packs those
-- that are in the parts that were read.
update damage
   set cleared_at = $4
 where destination_id = $1 and cleared_at is null
   and (pack = '' or missing
        or get_byte(decode(left(pack, 2), 'hex'), 0) % nullif($2::integer, 0) + 1
           = any($3::integer[]))
returning pack;

-- name: damage
select pack, missing, snapshot_ids, found_at
  from damage
 where destination_id = $1 and cleared_at is null
 order by found_at, pack;

-- name: unfinished_check
select exists (
    select from run
     where operation = 'check' and status in ('queued', 'in_progress')
       and $1::uuid = any(destination_ids)
);

-- name: add_stats
-- One row a day, the newest.
insert into repository_stats (destination_id, day, measured_at, raw_size, uncompressed_size,
                              restore_size, snapshots_count, compression_ratio,
                              compression_space_saving)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (destination_id, day) do update
   set measured_at = excluded.measured_at, raw_size = excluded.raw_size,
       uncompressed_size = excluded.uncompressed_size, restore_size = excluded.restore_size,
       snapshots_count = excluded.snapshots_count,
       compression_ratio = excluded.compression_ratio,
       compression_space_saving = excluded.compression_space_saving
 where repository_stats.measured_at <= excluded.measured_at;

-- name: set_size
update destination set repository_size = $2 where id = $1;

-- name: stats
-- Newest first.
select day, measured_at, raw_size, uncompressed_size, restore_size, snapshots_count,
       compression_ratio, compression_space_saving
  from repository_stats
 where destination_id = $1
 order by day desc
 limit $2;

-- name: prices
select provider, per_tb_month from storage_price order by provider;

-- name: set_price
insert into storage_price (provider, per_tb_month, updated_at) values ($1, $2, $3)
on conflict (provider) do update
   set per_tb_month = excluded.per_tb_month, updated_at = excluded.updated_at;
