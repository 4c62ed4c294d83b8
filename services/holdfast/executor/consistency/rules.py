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


POSTGRES = DumpRule(
    name="PostgreSQL",
    images=frozenset(
        ("postgres", "postgresql", "postgis", "timescaledb", "timescaledb-ha", "pgvector",
         "pgvecto-rs", "tensorchord", "pgvector-rs")
    ),
    extension="sql",
    command=(
        f'export PGPASSWORD="{_value("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD")}"; '
        f'exec pg_dumpall --clean --if-exists '
        f'-U "$(u="{_value("POSTGRES_USER", "POSTGRESQL_USERNAME")}"; echo "${{u:-postgres}}")"'
    ),
)  # fmt: skip

MYSQL = DumpRule(
    name="MySQL or MariaDB",
    images=frozenset(("mysql", "mysql-server", "mariadb", "percona", "percona-server")),
    extension="sql",
    command=(
        f'export MYSQL_PWD="{_value("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD")}"; '
        "user=root; "
        # Without root's password there is the one user that the image made, and its database.
        f'[ -n "$MYSQL_PWD" ] || {{ user="{_value("MARIADB_USER", "MYSQL_USER")}"; '
        f'MYSQL_PWD="{_value("MARIADB_PASSWORD", "MYSQL_PASSWORD")}"; }}; '
        "tool=$(command -v mariadb-dump || command -v mysqldump) || exit 127; "
        'if [ "$user" = root ]; then set -- --all-databases; '
        f'else set -- "{_value("MARIADB_DATABASE", "MYSQL_DATABASE")}"; fi; '
        'exec "$tool" -u "${user:-root}" --single-transaction --quick --routines --events '
        '--triggers "$@"'
    ),
)

MONGO = DumpRule(
    name="MongoDB",
    images=frozenset(("mongo", "mongodb", "mongodb-community-server")),
    extension="archive",
    command=(
        f'user="{_value("MONGO_INITDB_ROOT_USERNAME", "MONGODB_ROOT_USER")}"; '
        f'password="{_value("MONGO_INITDB_ROOT_PASSWORD", "MONGODB_ROOT_PASSWORD")}"; '
        'if [ -z "$user" ]; then exec mongodump --quiet --archive; fi; '
        # In YAML's single quotes only the quote itself is special.
        'quoted=$(printf %s "$password" | sed "s/\'/\'\'/g"); '
        'printf "password: \'%s\'\\n" "$quoted" | '
        "mongodump --quiet --archive --config /dev/stdin --authenticationDatabase admin "
        '-u "$user"'
    ),
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


def dump_of(engine: str, container: AppContainer) -> Dump | None:
    """The dump of *container*; None: it is no database, or it does not run."""
    rule = rule_of(container.image)
    if rule is None or not container.running or container.paused:
        return None
    return Dump(
        name=f"{rule.name} in {container.name}",
        filename=f"{container.name}.{rule.extension}",
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
