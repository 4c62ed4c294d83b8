-- name: add_run
-- No row: it was queued before.
insert into run (id, operation, trigger, status, configuration_id, app_id, device_id,
                 destination_ids, exclusive, work_type, work, scheduled_for, attempt,
                 retry_of, not_before, queued_at, not_after)
values ($1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
on conflict (id) do nothing
returning id;

-- name: add_ended
-- A run of the past, known by what it left in a repository; one more destination when it is known.
insert into run (id, operation, trigger, status, configuration_id, app_id, destination_ids,
                 exclusive, work_type, work, queued_at, admitted_at, started_at, completed_at)
values ($1, $2, $3, 'success', $4, $5, array[$6::uuid], false, $7, $8, $9, $9, $9, $10)
on conflict (id) do update
   set destination_ids = run.destination_ids || excluded.destination_ids,
       started_at = least(run.started_at, excluded.started_at),
       queued_at = least(run.queued_at, excluded.queued_at),
       completed_at = greatest(run.completed_at, excluded.completed_at)
 where run.trigger = excluded.trigger and not run.destination_ids @> excluded.destination_ids;

-- name: set_result
update run set result = $2 where id = $1;

-- name: lock_admission
-- One transaction admits at a time; the others wait, and then see what it took.
select pg_advisory_xact_lock(hashtext('holdfast admission'));

-- name: unfinished
-- One whose window has ended is not started any more; the keeper ends it.
select id, status, operation, trigger, destination_ids, device_id, configuration_id, app_id,
       queued_at, not_before
  from run
 where status = 'in_progress'
    or (status = 'queued' and (not_after is null or not_after > $1));

-- name: limits
-- Of the destinations that differ from the usual.
select id, max_runs from destination where max_runs <> $1;

-- name: admit_run
update run
   set status = 'in_progress', admitted_at = $2, started_at = coalesce(started_at, $2),
       waiting_for = case when waiting_since is null then '' else waiting_for end
 where id = $1 and status = 'queued'
returning id, operation, trigger, status, configuration_id, app_id, device_id, destination_ids,
          attempt, claim, claim_expires_at, deaths, waiting_since, work_type, work;

-- name: start_snapshots
update snapshot set status = 'in_progress' where run_id = $1 and status = 'queued';

-- name: lock_run
select id, operation, trigger, status, configuration_id, app_id, device_id, destination_ids,
       attempt, claim, claim_expires_at, deaths, waiting_since, work_type, work
  from run
 where id = $1
   for update;

-- name: claim_run
-- The caller holds the row's lock.
update run
   set claim = claim + 1, executor_id = $2, started_at = case when claim = 0 then $3 else started_at end,
       claim_expires_at = $4, deaths = deaths + (claim_expires_at is not null)::integer,
       waiting_for = case when waiting_since is null then '' else waiting_for end
 where id = $1 and status = 'in_progress'
returning claim;

-- name: heartbeat
-- No row: another executor has it, or it was given back, or it has ended.
update run
   set claim_expires_at = $3
 where id = $1 and claim = $2 and status = 'in_progress' and claim_expires_at is not null
returning cancel_requested_at is not null;

-- name: release_run
-- Nobody holds it any more; its message is still there for the next one.
update run
   set claim_expires_at = null
 where id = $1 and claim = $2 and status = 'in_progress' and claim_expires_at is not null
returning id;

-- name: requeue_run
-- It waits for something outside: what it held in admission is free meanwhile.
update run
   set status = 'queued', claim_expires_at = null, not_before = $3,
       waiting_for = $4, waiting_since = coalesce(waiting_since, $5)
 where id = $1 and claim = $2 and status = 'in_progress' and claim_expires_at is not null
returning cancel_requested_at is not null as cancel;

-- name: dead_too_often
-- Runs whose executors died under them so often that another try is no use.
select id, claim, executor_id
  from run
 where status = 'in_progress' and claim_expires_at < $1 and deaths + 1 >= $2;

-- name: tell_waiting
update run
   set waiting_for = $2
 where id = $1 and status = 'in_progress' and waiting_since is null;

-- name: ask_to_cancel
update run set cancel_requested_at = coalesce(cancel_requested_at, $2) where id = $1;

-- name: end_run
-- No row: it has an outcome already.
with ended as (
    update run
       set status = $2, completed_at = $3, failure = $4, result = $5, claim_expires_at = null,
           waiting_for = '', waiting_since = null
     where id = $1 and status in ('queued', 'in_progress')
    returning id
)
select id, pg_notify('holdfast_run_ended', id::text) from ended;

-- name: pending_retries
select id
  from run
 where configuration_id = any($1::uuid[]) and status = 'queued' and trigger = 'retry'
 order by id
   for update;

-- name: queued_forget
-- One that has not started yet.
select id, operation, trigger, status, configuration_id, app_id, device_id, destination_ids,
       attempt, claim, claim_expires_at, deaths, waiting_since, work_type, work
  from run
 where operation = 'forget' and status = 'queued'
   and configuration_id = $1 and $2::uuid = any(destination_ids)
 order by queued_at
 limit 1
   for update;

-- name: rework
update run set work = $2 where id = $1 and status = 'queued';

-- name: unfinished_backups
-- The oldest of each.
select distinct on (configuration_id) configuration_id, id
  from run
 where configuration_id = any($1::uuid[])
   and operation = 'backup'
   and status in ('queued', 'in_progress')
   and not (trigger = 'retry' and status = 'queued')
 order by configuration_id, queued_at;

-- name: newest_listing
select id, status, failure, completed_at
  from run
 where operation = 'list_files' and work ->> 'snapshot_id' = $1::text
 order by queued_at desc, id desc
 limit 1;

-- name: silent_runs
-- Admitted, and then no claim; or a claim that ran out, and nobody took it over.
select id, operation, trigger, status, configuration_id, app_id, device_id, destination_ids,
       attempt, claim, claim_expires_at, deaths, waiting_since, work_type, work
  from run
 where status = 'in_progress'
   and coalesce(claim_expires_at, admitted_at) < $1
   for update skip locked;

-- name: window_end
select not_after from run where id = $1;

-- name: expired
select id from run where status = 'queued' and not_after is not null and not_after <= $1;

-- name: is_crowded
-- Counted no further than it matters.
select count(*) = $1::bigint
  from (select from run where status = 'queued' limit $1::bigint) as queued;

-- name: next_not_before
select min(not_before) from run where status = 'queued' and not_before is not null;

-- name: count_unfinished
select count(*) filter (where status = 'in_progress') as active,
       count(*) filter (where status = 'queued') as queued
  from run
 where status in ('queued', 'in_progress');

-- name: run
select r.id, r.operation, r.trigger, r.status, r.configuration_id, r.app_id,
       coalesce(a.name, r.work ->> 'app_name', '') as app_name, r.destination_ids, r.scheduled_for, r.attempt,
       r.retry_of, r.not_before, r.admitted_at, r.claim, r.waiting_for, r.waiting_since, r.queued_at, r.started_at, r.completed_at,
       r.cancel_requested_at, r.failure, r.result,
       array(select s.id from snapshot s where s.run_id = r.id
              order by array_position(r.destination_ids, s.destination_id)) as snapshot_ids,
       (select count(distinct s.tree) > 1 from snapshot s
         where s.run_id = r.id and s.tree <> '') as replicas_differ
  from run r
  left join app a on a.id = r.app_id
 where r.id = $1;

-- name: runs
-- A page, newest first, after a place or from the start.
select r.id, r.operation, r.trigger, r.status, r.configuration_id, r.app_id,
       coalesce(a.name, r.work ->> 'app_name', '') as app_name, r.destination_ids, r.scheduled_for, r.attempt,
       r.retry_of, r.not_before, r.admitted_at, r.claim, r.waiting_for, r.waiting_since, r.queued_at, r.started_at, r.completed_at,
       r.cancel_requested_at, r.failure, r.result,
       array(select s.id from snapshot s where s.run_id = r.id
              order by array_position(r.destination_ids, s.destination_id)) as snapshot_ids,
       (select count(distinct s.tree) > 1 from snapshot s
         where s.run_id = r.id and s.tree <> '') as replicas_differ
  from run r
  left join app a on a.id = r.app_id
 where ($1::text is null or r.operation = $1)
   and ($2::text is null or r.status = $2)
   and ($3::uuid is null or r.configuration_id = $3)
   and ($4::uuid is null or r.app_id = $4)
   and ($5::timestamptz is null or (r.queued_at, r.id) < ($5, $6))
 order by r.queued_at desc, r.id desc
 limit $7;
