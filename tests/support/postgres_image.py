"""An image of PostgreSQL, from this machine's own programs."""

import shutil
from pathlib import Path

from support.dockerd import Dockerd
from support.images import add_user, copy_into, data_folder, libraries_of, open_to_all

NAME = "postgres:15"

RUN = (
    "export PGDATA=/var/lib/postgresql/data; mkdir -p /tmp/run; "
    'if [ ! -s "$PGDATA/PG_VERSION" ]; then printf %s "$POSTGRES_PASSWORD" > /tmp/pw && '
    'initdb -D "$PGDATA" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile /tmp/pw --locale C '
    ">/dev/null || exit 1; fi; "
    "exec postgres -k /tmp -c unix_socket_directories=/tmp,/var/run/postgresql"
)
"""As the official image: an empty data directory becomes a database, by the variables."""


def missing_postgres() -> list[str]:
    """What it needs and is not there."""
    return [] if _programs() else ["postgresql"]


def _programs() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def import_postgres(docker: Dockerd, root: Path) -> str:
    """Put it into the engine; its name.  *root*, a directory that is not there yet, is used up."""
    shutil.copytree(docker.data / "image", root, symlinks=True)
    version = _programs()[-1].parent
    shutil.copytree(version, root / str(version)[1:], symlinks=True)
    share = Path("/usr/share/postgresql") / version.name
    shutil.copytree(share, root / str(share)[1:], symlinks=True, ignore_dangling_symlinks=True)
    copy_into(root, ["/usr/share/zoneinfo/UTC"])
    linked = [*(version / "bin").iterdir(), *(version / "lib").glob("*.so")]
    copy_into(root, libraries_of(linked))
    add_user(root, "pg")
    for tool in ("initdb", "postgres", "pg_dumpall", "pg_dump", "psql", "pg_isready"):
        (root / "bin" / tool).symlink_to(version / "bin" / tool)
    open_to_all(root, "tmp", "var/run/postgresql")
    data_folder(root, "var/lib/postgresql/data")
    docker.import_image(root, NAME)
    return NAME
