"""An image of PostgreSQL, from this machine's own programs."""

import re
import shutil
import subprocess
from pathlib import Path

from support.dockerd import Dockerd

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
    programs = _programs()
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    shutil.copytree(docker.data / "image", root, symlinks=True)
    version = programs[-1].parent
    shutil.copytree(version, root / str(version)[1:], symlinks=True)
    share = Path("/usr/share/postgresql") / version.name
    shutil.copytree(share, root / str(share)[1:], symlinks=True, ignore_dangling_symlinks=True)
    zones = root / "usr/share/zoneinfo"
    zones.mkdir(parents=True)
    shutil.copy("/usr/share/zoneinfo/UTC", zones / "UTC")
    told = subprocess.run(
        ["ldd", *(version / "bin").iterdir(), *(version / "lib").glob("*.so")],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    needed = set(re.findall(r"(?:=> |^\t)(/\S+) \(", told, re.MULTILINE))
    for library in needed:
        there = root / library[1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, there)
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\npg:x:999:999::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\npg:x:999:\n")
    for tool in ("initdb", "postgres", "pg_dumpall", "pg_dump", "psql", "pg_isready"):
        (root / "bin" / tool).symlink_to(version / "bin" / tool)
    (root / "tmp").mkdir(mode=0o1777, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    data = root / "var/lib/postgresql/data"
    data.mkdir(parents=True, mode=0o700)
    shutil.chown(data, 999, 999)
    sockets = root / "var/run/postgresql"
    sockets.mkdir(parents=True)
    sockets.chmod(0o1777)
    docker.import_image(root, NAME)
    return NAME
