"""An image of Redis, from this machine's own programs."""

import shutil
from pathlib import Path

from support.dockerd import Dockerd
from support.images import add_user, copy_into, data_folder, libraries_of

NAME = "redis:7"

PROGRAMS = ("/usr/bin/redis-server", "/usr/bin/redis-cli")


def missing_redis() -> list[str]:
    """What it needs and is not there."""
    return [] if all(Path(each).exists() for each in PROGRAMS) else ["redis-server"]


def import_redis(docker: Dockerd, root: Path) -> str:
    """Put it into the engine; its name.  *root*, a directory that is not there yet, is used up."""
    shutil.copytree(docker.data / "image", root, symlinks=True)
    copy_into(root, PROGRAMS)
    copy_into(root, libraries_of(Path(each) for each in PROGRAMS))
    for program in PROGRAMS:
        (root / "bin" / Path(program).name).symlink_to(program)
    add_user(root, "redis")
    data_folder(root, "data")
    docker.import_image(root, NAME)
    return NAME
