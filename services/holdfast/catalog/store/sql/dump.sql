-- name: tables
-- Those of our schema.  Lists of files can be told again by their repositories.
select relname
  from pg_class
 where relkind = 'r' and relnamespace = current_schema()::regnamespace
   and relname not in ('database_part', 'folder', 'listing')
 order by relname;

-- name: references
-- Which table must be filled before which.
select c.relname as from_table, f.relname as to_table
  from pg_constraint k
  join pg_class c on c.oid = k.conrelid
  join pg_class f on f.oid = k.confrelid
 where k.contype = 'f' and k.connamespace = current_schema()::regnamespace and c.oid <> f.oid;

-- name: columns
select attname
  from pg_attribute
 where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
 order by attnum;

-- name: counters
-- Columns that count by themselves.
select table_name, column_name
  from information_schema.columns
 where table_schema = current_schema() and is_identity = 'YES'
 order by table_name;

-- name: lock
select pg_try_advisory_xact_lock(hashtextextended($1::text, 0));

-- name: is_held
-- Whether the run is the asker's.
select exists (select from run where id = $1 and claim = $2 and status = 'in_progress');

-- name: part
select content, is_last from database_part where run_id = $1 and part = $2;

-- name: is_made
select exists (select from database_part where run_id = $1 and is_last);

-- name: add_part
insert into database_part (run_id, part, is_last, content) values ($1, $2, $3, $4);

-- name: drop_parts
-- Of this run, and of runs that have ended.
delete from database_part p
 where p.run_id = $1
    or exists (
    select from run r
     where r.id = p.run_id and r.status not in ('queued', 'in_progress'));
