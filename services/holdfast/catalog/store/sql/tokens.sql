-- name: name_of_token
select name from api_token where token_hash = $1;

-- name: add_token
insert into api_token (token_hash, name, created_at)
values ($1, $2, $3)
on conflict do nothing;
