"""Running Postgres when we are root: it refuses to, so it runs as somebody else."""

import asyncio
import os
from pathlib import Path

from holdfast.embedded.process import ServerStartError

NOBODY = 65534
ROOT = 0

NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
"""A user namespace in which root is called nobody.

To the kernel it stays root, so a data directory below /root can be reached, and
Postgres' own check for root is content.
"""

REAL_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    # Else access(2), by which Postgres looks for its own parts, would not count that right.
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--",
)
"""For where namespaces are forbidden, as in most containers.

Of root's rights it keeps the one to reach files, for the same reason.
"""


async def as_ordinary_user(*folders: Path) -> list[str]:
    """What to put before a Postgres program that works in *folders*; they are made its own.

    Nothing for an ordinary user.  Raises ServerStartError when root has no way.
    """
    if os.geteuid() != ROOT:
        return []
    for prefix, owner in ((NAMESPACE, ROOT), (REAL_NOBODY, NOBODY)):
        _give(folders, owner)
        if all([await _works(*prefix, "test", "-w", str(folder)) for folder in folders]):
            return list(prefix)
    raise ServerStartError(
        "Postgres does not run as root, and nothing else may be done here.",
        guidance=(
            "Run Holdfast as an ordinary user, allow user namespaces, or name a Postgres server"
            " with HOLDFAST_POSTGRES_DSN."
        ),
    )


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


def _give(folders: tuple[Path, ...], owner: int) -> None:
    """Change the owner of everything in *folders*; each folder itself last: it tells that."""
    for top in folders:
        if top.stat().st_uid == owner:
            continue
        for folder, _, names in os.walk(top, topdown=False):
            for name in names:
                os.chown(os.path.join(folder, name), owner, owner, follow_symlinks=False)
            os.chown(folder, owner, owner)
