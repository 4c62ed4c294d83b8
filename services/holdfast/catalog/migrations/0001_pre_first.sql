-- The catalog's first schema.  Ids are UUIDs made by Holdfast (version 7, or derived);
-- times are timestamptz; enumerations are text, checked where a wrong one would do harm.

create table instance (
    only_row   boolean primary key default true check (only_row),
    id         uuid not null,
    created_at timestamptz not null,
    -- When the recovery kit was last handed out.
    recovery_kit_at timestamptz
);

-- The master keys that open the data keys: one, or two while it is being changed.
create table master_key (
    id         text primary key,
    kind       text not null check (kind in ('file', 'passphrase', 'pkcs11')),
    -- How a passphrase, or a token's answer, becomes the key (never either of them).
    parameters jsonb,
    created_at timestamptz not null
);

create table data_key (
    id         uuid primary key,
    created_at timestamptz not null
);

-- A data key under a master key.  Changing the master key writes these few rows, nothing else.
create table wrapped_key (
    data_key_id   uuid not null references data_key,
    master_key_id text not null references master_key on delete cascade,
    wrapped       bytea not null,
    primary key (data_key_id, master_key_id)
);

-- What secrets for the catalog are sealed to before they go on the bus.  In a row, so that
-- every catalog process opens what was sealed to any of them.
create table receiver_key (
    only_row       boolean primary key default true check (only_row),
    sealed_private bytea not null
);

create table api_token (
    token_hash bytea primary key,
    name       text not null,
    created_at timestamptz not null
);

create table device (
    id         uuid primary key,
    name       text not null unique,
    type       text not null check (type in ('local', 'ssh')),
    site       text not null,
    ssh_host   text not null default '',
    ssh_port   integer not null default 22,
    ssh_user   text not null default '',
    -- Pinned; until it is known the fingerprint that it must have, or nothing.
    ssh_host_key   text not null default '',
    -- Through which it is reached; null: directly.
    jump_device_id uuid references device on update cascade,
    sudo       boolean not null default false,
    -- Where its container engine listens; empty: at one of the usual places.
    engine_socket text not null default '',
    sealed_secrets bytea,
    -- What the last good test found.
    facts      jsonb,
    tested_at  timestamptz,
    -- When its container engines are to be asked next; null: only when a person wants it.
    discover_at   timestamptz,
    discovered_at timestamptz,
    -- Since when, and how often in a row, nobody could find out what it runs.
    unseen_since  timestamptz,
    looks_failed  integer not null default 0,
    -- Volumes that no container used at the last look.
    loose jsonb not null default '[]',
    -- The paths of data without protection that somebody was told of.
    unprotected text[] not null default '{}',
    created_at timestamptz not null
);

-- The devices through which each is reached: step 1 is the last of them.  Longer ways than may
-- be, or rings, end at one step more than may be.
create view jump as
    with recursive way as (
        select id as device_id, jump_device_id as id, 1 as step
          from device where jump_device_id is not null
        union all
        select w.device_id, d.jump_device_id, w.step + 1
          from way w join device d on d.id = w.id
         where d.jump_device_id is not null and w.step < 6)
    select w.device_id, w.step, d.id, d.name, d.ssh_host, d.ssh_port, d.ssh_user, d.ssh_host_key,
           d.sealed_secrets
      from way w join device d on d.id = w.id;

create table app (
    id         uuid primary key,
    name       text not null unique,
    device_id  uuid not null references device on update cascade,
    paths      text[] not null,
    -- What a discovery knows it again by; empty: a person declared it.
    key        text not null default '',
    found      jsonb,
    vanished_at timestamptz,
    created_at timestamptz not null,
    check (cardinality(paths) > 0 or key <> '')
);
create unique index app_found on app (device_id, key) where key <> '';

create table destination (
    id                 uuid primary key,
    name               text not null,
    type               text not null check (type in ('s3', 'local', 'sftp')),
    -- adding: its init run has not succeeded yet, nobody sees it; removed: out of use, kept
    -- for the history and for restores, and for the password of a repository that may be there.
    state              text not null check (state in ('adding', 'ready', 'removed')),
    enabled            boolean not null default true,
    s3_endpoint        text not null default '',
    s3_bucket          text not null default '',
    s3_region          text not null default '',
    s3_prefix          text not null default '',
    s3_addressing      text not null default 'auto',
    s3_ca_certificate  text not null default '',
    -- S3 Object Lock; no mode: none.
    s3_lock_mode       text not null default '' check (s3_lock_mode in ('', 'governance', 'compliance')),
    s3_lock_days       integer not null default 0 check ((s3_lock_days > 0) = (s3_lock_mode <> '')),
    -- A second pair of keys does what deletes; the pair itself is among the sealed secrets.
    s3_has_maintenance boolean not null default false,
    -- When its lock is to be kept up next; null: it has none.
    protect_due_at     timestamptz,
    protected_at       timestamptz,
    local_device_id    uuid references device on update cascade,
    local_path         text not null default '',
    sftp_host          text not null default '',
    sftp_port          integer not null default 22,
    sftp_user          text not null default '',
    sftp_path          text not null default '',
    -- The public key that the server must show; while it is being added: what was asked for.
    sftp_host_key      text not null default '',
    -- The path that a person named, above the repository's own.
    parent_path        text not null default '',
    -- Its place in one line, spelled one way: two destinations cannot share it.
    place              text not null,
    sealed_secrets     bytea not null,
    password_is_ours   boolean not null,
    -- While the repository's password is changed: the one to come, kept before any key is made
    -- with it; then the one that was, until its keys are gone.
    next_password      bytea,
    old_password       bytea,
    -- Whether the newest recovery kit has what opens it now.
    in_recovery_kit    boolean not null default false,
    repository_id      text not null default '',
    -- Of the repository's config: by it another disk, or none, is found out without restic.
    config_digest      text not null default '',
    prune_schedule     text not null default '0 4 * * 0',
    prune_timezone     text not null,
    last_prune_due_at  timestamptz,
    last_pruned_at     timestamptz,
    prune_needed       boolean not null default false,
    -- In the zone of the prunes.
    check_schedule     text not null default '0 5 * * *',
    last_check_due_at  timestamptz,
    checked_at         timestamptz,
    -- All data is read at least every so many days, reading so much a day at most.
    verify_within_days integer not null default 30 check (verify_within_days > 0),
    verify_budget_mib_per_day integer check (verify_budget_mib_per_day > 0),
    verify_since       timestamptz not null,
    max_runs           integer not null default 4 check (max_runs > 0),
    limits             jsonb not null default '{}',
    append_only        boolean not null default false,
    -- What the last protection test saw refused, and when; null: none since append_only changed.
    protects_from      text[] not null default '{}',
    protection_tested_at timestamptz,
    repository_size    bigint not null default 0,
    -- Of the settings that its repository carries; empty: none that we know of.
    manifest_digest    text not null default '',
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);
create unique index destination_name on destination (name) where state <> 'removed';
create unique index destination_place on destination (place) where state <> 'removed';

create table policy (
    id           uuid primary key,
    name         text not null unique,
    description  text not null default '',
    is_default   boolean not null default false,
    schedule     text not null,
    timezone     text not null,
    enabled      boolean not null default true,
    jitter_seconds integer not null default 0 check (jitter_seconds between 0 and 86400),
    -- Times of the day in the policy's zone, HH:MM; both or none.
    window_start text,
    window_end   text check ((window_start is null) = (window_end is null)),
    catch_up     text not null default 'run_once' check (catch_up in ('run_once', 'skip')),
    fan_out      text not null default 'mirror' check (fan_out in ('parallel', 'copy', 'mirror')),
    keep_last    integer not null default 0 check (keep_last >= 0),
    keep_hourly  integer not null default 0 check (keep_hourly >= 0),
    keep_daily   integer not null default 0 check (keep_daily >= 0),
    keep_weekly  integer not null default 0 check (keep_weekly >= 0),
    keep_monthly integer not null default 0 check (keep_monthly >= 0),
    keep_yearly  integer not null default 0 check (keep_yearly >= 0),
    schedule_changed_at timestamptz not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null
);
create unique index policy_one_default on policy (is_default) where is_default;

create table policy_destination (
    policy_id      uuid not null references policy on update cascade on delete cascade,
    destination_id uuid not null references destination on update cascade,
    position       integer not null,
    primary key (policy_id, destination_id)
);
create index policy_destination_by_destination on policy_destination (destination_id);

create table configuration (
    id               uuid primary key,
    app_id           uuid references app,
    is_system_backup boolean not null default false,
    system_type      text,
    -- Only a deleted configuration may outlive its policy.
    policy_id        uuid references policy on update cascade on delete set null,
    backup_volumes   boolean not null default true,
    backup_compose   boolean not null default true,
    backup_env       boolean not null default true,
    include_paths    text[] not null default '{}',
    exclude_paths    text[] not null default '{}',
    -- Hooks, dumps, what the app does meanwhile: what holdfast.events.consistency says.
    consistency      jsonb not null default '{}',
    -- How it is proved restorable: what holdfast.events.drills says.
    drill            jsonb not null default '{}',
    -- The last time of that on record, or when it was last changed.
    drill_due_at     timestamptz,
    enabled          boolean not null default true,
    enabled_at       timestamptz not null,
    deleted_at       timestamptz,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    check (app_id is not null or is_system_backup),
    check (policy_id is not null or deleted_at is not null)
);
-- One of each, be it deleted: what a person took out of use does not come back by itself.
create unique index configuration_system on configuration (system_type) where is_system_backup;
create index configuration_by_policy on configuration (policy_id) where deleted_at is null;
create unique index configuration_tie on configuration (app_id, policy_id) where deleted_at is null;

create table run (
    id                  uuid primary key,
    operation           text not null,
    trigger             text not null,
    -- queued, in_progress (admitted, perhaps claimed), or an outcome
    status              text not null check (status in
        ('queued', 'in_progress', 'success', 'partial', 'failed', 'cancelled')),
    configuration_id    uuid references configuration,
    app_id              uuid references app,
    device_id           uuid references device on update cascade,
    destination_ids     uuid[] not null,
    exclusive           boolean not null,
    -- The event that goes to an executor when the run is admitted, without secrets.
    work_type           text not null,
    work                jsonb not null,
    scheduled_for       timestamptz,
    attempt             integer not null default 1,
    retry_of            uuid references run,
    not_before          timestamptz,
    -- The end of the window in which it may start; null: whenever its turn comes.
    not_after           timestamptz,
    claim               integer not null default 0,
    executor_id         text,
    -- null: nobody holds it, and whoever did gave it back in order.
    claim_expires_at    timestamptz,
    -- How many of its claims ran out: each time its executor died, or was cut off.
    deaths              integer not null default 0,
    waiting_for         text not null default '',
    waiting_since       timestamptz,
    cancel_requested_at timestamptz,
    failure             jsonb,
    result              jsonb,
    queued_at           timestamptz not null,
    admitted_at         timestamptz,
    started_at          timestamptz,
    completed_at        timestamptz
);
create index run_newest on run (queued_at desc, id desc);
create index run_by_configuration on run (configuration_id, queued_at desc, id desc);
create index run_drill on run (configuration_id, completed_at desc) where operation = 'drill';
create index run_drill_of_app on run (app_id, completed_at desc) where operation = 'drill';
create index run_to_expire on run (not_after) where status = 'queued' and not_after is not null;
create index run_listing on run ((work ->> 'snapshot_id'), queued_at desc) where operation = 'list_files';
create index run_unfinished on run (status) where status in ('queued', 'in_progress');

-- The last drill of each configuration that succeeded.
create view proof as
    select distinct on (configuration_id)
           configuration_id, id as run_id, completed_at as at, result
      from run
     where operation = 'drill' and status in ('success', 'partial')
     order by configuration_id, completed_at desc;

create table snapshot (
    id                 uuid primary key,
    run_id             uuid not null references run,
    -- null: found in an adopted repository, and nobody's here.
    configuration_id   uuid references configuration,
    app_id             uuid references app,
    destination_id     uuid not null references destination on update cascade,
    restic_snapshot_id text,
    hostname           text not null,
    paths              text[] not null,
    status             text not null check (status in
        ('queued', 'in_progress', 'success', 'partial', 'failed', 'cancelled')),
    files_new          bigint not null default 0,
    files_changed      bigint not null default 0,
    files_unmodified   bigint not null default 0,
    data_added         bigint not null default 0,
    data_added_packed  bigint not null default 0,
    total_size         bigint not null default 0,
    duration           double precision not null default 0,
    failure            jsonb,
    unreadable_files   text[] not null default '{}',
    unreadable_count   bigint not null default 0,
    -- restic's id of the content: equal at all destinations of the run, or something is wrong.
    tree               text not null default '',
    way                text not null default 'backup' check (way in ('backup', 'copy', 'mirror')),
    started_at         timestamptz not null,
    completed_at       timestamptz,
    forgotten_at       timestamptz,
    created_at         timestamptz not null
);
create index snapshot_newest on snapshot (started_at desc, id desc);
create index snapshot_by_app on snapshot (app_id, started_at desc, id desc);
create index snapshot_by_configuration on snapshot (configuration_id, started_at desc, id desc);
create index snapshot_by_destination on snapshot (destination_id, started_at desc, id desc);
create index snapshot_by_run on snapshot (run_id);
-- What can be restored: the totals of a destination read nothing else.
create index snapshot_restorable on snapshot (destination_id, completed_at)
    where restic_snapshot_id is not null and forgotten_at is null;

create index snapshot_by_tree on snapshot (tree) where tree <> '';

-- The files of snapshots, for browsing.  A folder is known by its content, so one that did not
-- change is kept once; a page has a thousand of its entries at most.
create table folder (
    id         bytea not null,
    page       integer not null,
    first_key  text collate "C" not null,
    -- MessagePack, compressed by zlib: its own compression would be lost time.
    entries    bytea not null,
    -- The folders among the entries.
    folders    bytea[] not null,
    -- When somebody last said that it is needed.
    touched_at timestamptz not null,
    primary key (id, page)
);
alter table folder alter column entries set storage external;

-- The root folder of each of restic's trees.
create table listing (
    tree        text primary key,
    root        bytea not null,
    files       bigint not null,
    folders     bigint not null,
    size        bigint not null,
    listed_at   timestamptz not null
);

-- The database as a script, in parts, while a run backs it up.
create table database_part (
    run_id  uuid not null references run,
    part    integer not null,
    is_last boolean not null,
    content bytea not null,
    primary key (run_id, part)
);

-- New credentials of a destination, until the run that tries them has ended.
create table credential_change (
    run_id            uuid primary key references run,
    destination_id    uuid not null unique references destination on update cascade,
    sealed_secrets    bytea not null,
    password_is_ours  boolean not null,
    s3_ca_certificate text not null,
    has_maintenance   boolean not null
);

-- Settings found in a repository, until the run that found them has ended.
create table found_manifest (
    run_id uuid primary key references run,
    export jsonb not null
);

-- One row for every time that a backup was due, and what became of it.
create table expected_run (
    configuration_id uuid not null references configuration,
    scheduled_for    timestamptz not null,
    outcome          text not null check (outcome in ('fired', 'coalesced', 'skipped', 'missed')),
    reason           text not null default '',
    run_id           uuid references run,
    recorded_at      timestamptz not null,
    primary key (configuration_id, scheduled_for)
);

-- When the packs whose id's first byte, modulo parts, is part - 1 were last read.
create table part_reading (
    destination_id uuid not null references destination,
    parts          integer not null check (parts between 1 and 256),
    part           integer not null check (part between 1 and parts),
    read_at        timestamptz not null,
    run_id         uuid not null references run,
    primary key (destination_id, parts, part)
);

-- What checks have found; a pack without a name is damage to the structure.
create table damage (
    id             bigint generated always as identity primary key,
    destination_id uuid not null references destination,
    pack           text not null,
    missing        boolean not null default false,
    snapshot_ids   text[] not null,
    found_at       timestamptz not null,
    run_id         uuid not null references run,
    cleared_at     timestamptz
);
create unique index damage_known on damage (destination_id, pack) where cleared_at is null;

-- How much a repository stored, one row a day.
create table repository_stats (
    destination_id           uuid not null references destination,
    day                      date not null,
    measured_at              timestamptz not null,
    raw_size                 bigint not null,
    uncompressed_size        bigint not null,
    restore_size             bigint not null,
    snapshots_count          integer not null,
    compression_ratio        double precision not null,
    compression_space_saving double precision not null,
    primary key (destination_id, day)
);

-- Only where a person has set another price than the one that Holdfast knows.  In USD.
create table storage_price (
    provider     text primary key,
    per_tb_month double precision not null check (per_tb_month >= 0),
    updated_at   timestamptz not null
);

-- Events to publish, written in the transaction that made them true.
create table outbox (
    id         bigint generated always as identity primary key,
    event_id   uuid not null,
    type       text not null,
    payload    bytea not null,
    created_at timestamptz not null default now(),
    -- It could not be published and never can be; kept for a look, in the way of no other.
    set_aside_at     timestamptz,
    set_aside_reason text not null default ''
);
