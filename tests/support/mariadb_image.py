"""An image of MariaDB, from this machine's own programs."""

import shutil
from pathlib import Path

from support.dockerd import Dockerd
from support.images import add_user, copy_into, data_folder, libraries_of, open_to_all

NAME = "mariadb:10"

PROGRAMS = (
    "/usr/sbin/mariadbd",
    "/usr/bin/mariadb",
    "/usr/bin/mariadb-dump",
    "/usr/bin/mariadb-admin",
    "/usr/bin/my_print_defaults",
    "/usr/bin/resolveip",
)

RUN = (
    "cd /tmp; data=/var/lib/mysql; socket=/run/mysqld/mysqld.sock; "
    'if [ ! -d "$data/mysql" ]; then '
    'mariadb-install-db --no-defaults --datadir="$data" --skip-test-db '
    "--auth-root-authentication-method=normal >/dev/null || exit 1; "
    'mariadbd --no-defaults --datadir="$data" --socket="$socket" --skip-networking & '
    "until mariadb-admin --silent ping; do sleep 0.2; done; "
    'quoted=$(printf %s "$MARIADB_ROOT_PASSWORD" | sed "s/\'/\'\'/g"); '
    "mariadb -u root -e \"create user root@'%' identified by '$quoted'; "
    "grant all on *.* to root@'%' with grant option; "
    "create database if not exists $MARIADB_DATABASE; "
    "alter user root@localhost identified by '$quoted'\" || exit 1; "
    'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" mariadb-admin -u root shutdown; wait; fi; '
    'exec mariadbd --no-defaults --datadir="$data" --socket="$socket" --bind-address=0.0.0.0'
)
"""As the official image: an empty data directory becomes a database, by the variables, by a
server that does not listen to the network and ends again."""


def missing_mariadb() -> list[str]:
    """What it needs and is not there."""
    return [] if all(Path(each).exists() for each in PROGRAMS) else ["mariadb-server"]


def import_mariadb(docker: Dockerd, root: Path) -> str:
    """Put it into the engine; its name.  *root*, a directory that is not there yet, is used up."""
    shutil.copytree(docker.data / "image", root, symlinks=True)
    copy_into(root, PROGRAMS)
    copy_into(root, libraries_of(Path(each) for each in PROGRAMS))
    copy_into(root, ["/usr/bin/mariadb-install-db"])
    shutil.copytree("/usr/share/mysql", root / "usr/share/mysql", ignore_dangling_symlinks=True)
    for program in (*PROGRAMS, "/usr/bin/mariadb-install-db"):
        (root / "bin" / Path(program).name).symlink_to(program)
    add_user(root, "mysql")
    open_to_all(root, "tmp", "run/mysqld")
    data_folder(root, "var/lib/mysql")
    docker.import_image(root, NAME)
    return NAME
