"""Which database a container is, by its image, and how it is dumped.  Pure.

A dump is a line of shell in the container, so a password stays where it is: it is read from
the container's own variables, and goes on by variables and standard input, never by arguments.
"""

import re

import msgspec

from holdfast.executor.consistency.engine import AppContainer


class DumpRule(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of database is dumped."""

    name: str
    images: frozenset[str]
    """Last parts of images' names."""
    extension: str
    command: str
    """For ``sh -c`` in the container; its output is the dump, and it fails if that is not whole."""
    load: str = ""
    """The same for the way back: it takes the dump, and fails if any of it did not come in.  Empty:
    the database comes back from its files, which it keeps so that they are whole at any time."""
    is_ready: str = ""
    """The same: it fails until the database, new or not, takes commands from everywhere."""
    ask: str = ""
    """The same, with a query, and a database's name or nothing, as its arguments: it prints the
    rows and nothing else.  Empty: it has no SQL."""
    data_variable: str = ""
    """Of the container, with the directory of the database's own files."""
    data_folders: tuple[str, ...] = ()
    """Where they are when it does not say."""


class Dump(msgspec.Struct, frozen=True, kw_only=True):
    """One dump to make."""

    name: str
    """What is dumped, for a person."""
    filename: str
    argv: tuple[str, ...]


def _value(*names: str) -> str:
    """Shell that is the first of these variables of a container that is set, or its _FILE."""
    words = ""
    for name in reversed(names):
        words = f'${{{name}:-$([ -z "${name}_FILE" ] || cat "${name}_FILE"){words}}}'
    return words


_AS_POSTGRES = (
    f'export PGPASSWORD="{_value("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD")}"; '
    f'user="{_value("POSTGRES_USER", "POSTGRESQL_USERNAME")}"; user=${{user:-postgres}}; '
)

POSTGRES = DumpRule(
    name="PostgreSQL",
    images=frozenset(
        ("postgres", "postgresql", "postgis", "timescaledb", "timescaledb-ha", "pgvector",
         "pgvecto-rs", "tensorchord", "pgvector-rs")
    ),
    extension="sql",
    command=f'{_AS_POSTGRES}exec pg_dumpall --clean --if-exists -U "$user"',
    load=(
        f'{_AS_POSTGRES}{{ psql -X -q -v VERBOSITY=terse -U "$user" -d postgres 2>&1 >/dev/null; '
        'echo "psql ended with $?"; } | { bad=1; while IFS= read -r line; do case $line in '
        # The role that does it is there, and cannot go.
        '*"ERROR:  current user cannot be dropped"*|*"ERROR:  role "*" already exists"*) ;; '
        '"psql ended with 0") [ -n "$wrong" ] || bad=;; '
        '*ERROR:*|*FATAL:*|"psql ended with"*) wrong=1; echo "$line" >&2;; '
        'esac; done; [ -z "$bad" ]; }'
    ),
    # While the image makes a new database it does not listen to the network.
    is_ready=(
        f'{_AS_POSTGRES}pg_isready -q -h 127.0.0.1 && '
        'psql -X -q -U "$user" -d postgres -c "select 1" >/dev/null 2>&1'
    ),
    ask=(
        f'{_AS_POSTGRES}db="${{2:-{_value("POSTGRES_DB", "POSTGRESQL_DATABASE")}}}"; '
        'exec psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$user" -d "${db:-$user}" -c "$1"'
    ),
    data_variable="PGDATA",
    data_folders=("/var/lib/postgresql/data", "/bitnami/postgresql/data"),
)  # fmt: skip

_AS_MYSQL = (
    f'export MYSQL_PWD="{_value("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD")}"; '
    "user=root; "
    # Without root's password there is the one user that the image made, and its database.
    f'[ -n "$MYSQL_PWD" ] || {{ user="{_value("MARIADB_USER", "MYSQL_USER")}"; '
    f'MYSQL_PWD="{_value("MARIADB_PASSWORD", "MYSQL_PASSWORD")}"; }}; '
)

MYSQL = DumpRule(
    name="MySQL or MariaDB",
    images=frozenset(("mysql", "mysql-server", "mariadb", "percona", "percona-server")),
    extension="sql",
    command=(
        f"{_AS_MYSQL}tool=$(command -v mariadb-dump || command -v mysqldump) || exit 127; "
        'if [ "$user" = root ]; then set -- --all-databases; '
        f'else set -- "{_value("MARIADB_DATABASE", "MYSQL_DATABASE")}"; fi; '
        'exec "$tool" -u "${user:-root}" --single-transaction --quick --routines --events '
        '--triggers "$@"'
    ),
    load=(
        f"{_AS_MYSQL}tool=$(command -v mariadb || command -v mysql) || exit 127; "
        # Accounts that came with the dump are not let in until the server reads them anew.
        'if [ "$user" = root ]; then '
        '"$tool" -u root && exec "$tool" -u root -e "flush privileges"; '
        f'else exec "$tool" -u "${{user:-root}}" "{_value("MARIADB_DATABASE", "MYSQL_DATABASE")}"; '
        "fi"
    ),
    # While the image makes a new database it does not listen to the network.
    is_ready=(
        "tool=$(command -v mariadb-admin || command -v mysqladmin) || exit 127; "
        'exec "$tool" -h 127.0.0.1 --silent ping'
    ),
    ask=(
        f"{_AS_MYSQL}tool=$(command -v mariadb || command -v mysql) || exit 127; "
        f'db="${{2:-{_value("MARIADB_DATABASE", "MYSQL_DATABASE")}}}"; '
        'exec "$tool" -u "${user:-root}" -N -B -e "$1" ${db:+"$db"}'
    ),
    data_folders=("/var/lib/mysql", "/bitnami/mysql/data", "/bitnami/mariadb/data"),
)

_AS_MONGO = (
    f'user="{_value("MONGO_INITDB_ROOT_USERNAME", "MONGODB_ROOT_USER")}"; '
    f'password="{_value("MONGO_INITDB_ROOT_PASSWORD", "MONGODB_ROOT_PASSWORD")}"; '
    # In YAML's single quotes only the quote itself is special.
    'quoted=$(printf %s "$password" | sed "s/\'/\'\'/g"); '
)

MONGO = DumpRule(
    name="MongoDB",
    images=frozenset(("mongo", "mongodb", "mongodb-community-server")),
    extension="archive",
    command=(
        f"{_AS_MONGO}"
        'if [ -z "$user" ]; then exec mongodump --quiet --archive; fi; '
        'printf "password: \'%s\'\\n" "$quoted" | '
        "mongodump --quiet --archive --config /dev/stdin --authenticationDatabase admin "
        '-u "$user"'
    ),
    load=(
        f"{_AS_MONGO}"
        'if [ -z "$user" ]; then exec mongorestore --quiet --archive --drop; fi; '
        "exec mongorestore --quiet --archive --drop --config /dev/fd/3 "
        '--authenticationDatabase admin -u "$user" 3<<END\n'
        "password: '$quoted'\nEND\n"
    ),
    # While the image makes a new database it listens to itself alone.
    is_ready=(
        "tool=$(command -v mongosh || command -v mongo) || exit 127; "
        'exec "$tool" --quiet --host "$(hostname)" --eval "db.runCommand({ping: 1})" >/dev/null'
    ),
    data_folders=("/data/db", "/bitnami/mongodb/data/db"),
)

REDIS = DumpRule(
    name="Redis",
    images=frozenset(("redis", "redis-stack", "redis-stack-server", "valkey", "keydb")),
    extension="rdb",
    command=(
        f'export REDISCLI_AUTH="{_value("REDIS_PASSWORD", "VALKEY_PASSWORD")}"; '
        '[ -n "$REDISCLI_AUTH" ] || unset REDISCLI_AUTH; '
        "tool=$(command -v redis-cli || command -v valkey-cli || command -v keydb-cli) || "
        "exit 127; "
        'exec "$tool" --rdb -'
    ),
)

RULES = (POSTGRES, MYSQL, MONGO, REDIS)


def image_name(image: str) -> str:
    """The last part of an image's name: ``ghcr.io/immich-app/postgres:14@sha256:…``: postgres."""
    return re.split(r"[:@]", image.rpartition("/")[2], maxsplit=1)[0].lower()


def rule_of(image: str) -> DumpRule | None:
    """By which a container of *image* is dumped; None: it is no database that is known."""
    name = image_name(image)
    return next((rule for rule in RULES if name in rule.images), None)


def filename_of(rule: DumpRule, container: str) -> str:
    """What a container's dump is called."""
    return f"{container}.{rule.extension}"


def dump_of(engine: str, container: AppContainer) -> Dump | None:
    """The dump of *container*; None: it is no database, or it does not run."""
    rule = rule_of(container.image)
    if rule is None or not container.running or container.paused:
        return None
    return Dump(
        name=f"{rule.name} in {container.name}",
        filename=filename_of(rule, container.name),
        argv=(engine, "exec", container.id, "sh", "-c", rule.command),
    )


def sqlite_dump(path: str) -> Dump:
    """The dump of a SQLite file: in one transaction, and whole only if it says so at its end."""
    script = (
        'sqlite3 -readonly "$1" .dump | awk \'{ print; last = $0 } END { exit last != "COMMIT;" }\''
    )
    return Dump(
        name=f"SQLite file {path}",
        filename=f"{path.strip('/').replace('/', '_')}.sql",
        argv=("sh", "-c", script, "sqlite", path),
    )
