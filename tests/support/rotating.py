"""A process that changes the master key and is killed after so many steps.

Its arguments: database, data directory, old and new kind, and how many steps it may do.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from holdfast.catalog.master_key import FileSource, PassphraseSource, Source, TokenSource
from holdfast.catalog.rotation import Step, finish, key_files_beside, rotate
from holdfast.catalog.store.pool import open_pool
from holdfast.kernel.clock import utc_now
from holdfast.kernel.secret import Secret
from holdfast.secretbox.token_key import TokenAccess
from support.token import MODULES, PIN

FINISH = "finish"


def source(kind: str, data: Path) -> Source:
    """The source of a kind; ``passphrase 2`` is another one than ``passphrase``."""
    if kind == "file":
        return FileSource(data / "master-key")
    if kind.startswith("passphrase"):
        return PassphraseSource(Secret(f"a long enough {kind}"))
    module = next(each for each in MODULES if each.exists())
    access = TokenAccess(module=module, token="holdfast", key="holdfast", pin=Secret(PIN))
    return TokenSource(access)


async def main(dsn: str, data: Path, old: str, new: str, steps: int) -> None:
    done: list[Step] = []

    def told(step: Step) -> None:
        done.append(step)
        print(step.name, flush=True)
        if len(done) == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    pool = await open_pool(dsn, max_size=1)
    if new == FINISH:
        files = key_files_beside(data / "master-key")
        await finish(pool, source(old, data), files, told, delete_files=True)
    else:
        await rotate(pool, source(old, data), source(new, data), utc_now(), told)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])))
