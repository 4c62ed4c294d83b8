"""Running Postgres when we are root: it refuses to, so it runs as somebody else."""

import asyncio
import os
from pathlib import Path

from holdfast.embedded.process import ServerStartError

NOBODY = 65534


async def as_ordinary_user(binaries: Path, data: Path, *folders: Path) -> list[str]:
    """What to put before a Postgres program of *binaries* that works in *folders* below *data*.

    Nothing for an ordinary user.  For root, a user namespace in which root is called
    nobody: to the kernel it stays root, so a data directory below /root can be reached,
    and Postgres' own check for root is content.  Where namespaces are forbidden, as in
    most containers, it becomes the real nobody, who is given the folders.
    Raises ServerStartError when neither works.
    """
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    if await _works(*namespace, "true"):
        return namespace
    _give(data, folders)
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    for path in (binaries / "postgres", *folders):
        if not await _works(*other, "test", "-x", str(path)):
            raise ServerStartError(
                f"Postgres does not run as root, and an ordinary user cannot reach {path}.",
                guidance=(
                    "Run Holdfast as an ordinary user, allow user namespaces, put Holdfast and its"
                    " data (--data) where others may enter, or name a Postgres server with"
                    " HOLDFAST_POSTGRES_DSN."
                ),
            )
    return other


async def _works(*argv: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    return await process.wait() == 0


def _give(data: Path, folders: tuple[Path, ...]) -> None:
    """Let nobody own *folders*, and pass through the private directories of ours above them.

    That is *data* and its parent, which is Holdfast's own data directory: nobody's group
    may enter them, not list them.  Further up nothing is changed.
    """
    for folder in (data, data.parent):
        mode = folder.stat().st_mode & 0o777
        if mode & 0o077 == 0:
            os.chown(folder, -1, NOBODY)
            folder.chmod(mode | 0o010)
    for top in folders:
        for folder_name, _, names in os.walk(top):
            for path in (folder_name, *(os.path.join(folder_name, name) for name in names)):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
