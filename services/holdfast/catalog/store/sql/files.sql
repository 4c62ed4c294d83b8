-- name: learn_tree
update snapshot set tree = $2 where id = $1 and tree = '' and $2 <> '';

-- name: is_listed
-- By the tree, or by that of the snapshot's row.
select exists (
    select from listing
     where tree = coalesce(nullif($2, ''), (select tree from snapshot where id = $1)));

-- name: listing_of
select l.root as folder, l.files, l.folders, l.size
  from snapshot s
  join listing l on l.tree = s.tree
 where s.id = $1;

-- name: touch_folders
-- Those that are kept whole: their last page is written last.
with kept as (
    select f.id
      from folder f
      join unnest($1::bytea[], $2::integer[]) as asked (id, page)
        on f.id = asked.id and f.page = asked.page),
touched as (
    update folder set touched_at = $3::timestamptz
     where id in (select id from kept) and touched_at < $3::timestamptz - interval '1 hour')
select id from kept;

-- name: keep_page
insert into folder (id, page, first_key, entries, folders, touched_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (id, page) do update set touched_at = excluded.touched_at;

-- name: keep_listing
insert into listing (tree, root, files, folders, size, listed_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (tree) do nothing;

-- name: page_at
select entries from folder where id = $1 and page = $2;

-- name: page_with
-- The page in which a key is, if it is in the folder at all.
select entries from folder where id = $1 and first_key <= $2 order by page desc limit 1;

-- name: drop_listings
-- Of content that no snapshot has any more.
delete from listing l
 where l.listed_at < $1
   and not exists (
    select from snapshot s
     where s.tree = l.tree and s.restic_snapshot_id is not null and s.forgotten_at is null);

-- name: drop_folders
-- Of which no listing is made; one that is being told right now has touched its own.
with recursive needed (id) as (
    select root from listing
    union
    select below from folder f join needed n on n.id = f.id, unnest(f.folders) as below)
delete from folder f
 where f.touched_at < $1 and not exists (select from needed n where n.id = f.id);
