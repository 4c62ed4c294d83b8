-- name: change_of
select id, next_password, old_password from destination where id = $1 for update;

-- name: is_being_changed
select exists (
    select from run
     where operation = 'rotate_password'
       and status in ('queued', 'in_progress')
       and $1::uuid = any(destination_ids));

-- name: keep_next
update destination set next_password = $2 where id = $1;

-- name: switch
-- The newest recovery kit has the password that was.
update destination
   set sealed_secrets = $2, old_password = $3, next_password = null,
       password_is_ours = true, in_recovery_kit = false, updated_at = $4
 where id = $1;

-- name: drop_old
update destination set old_password = null where id = $1;
