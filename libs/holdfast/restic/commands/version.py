"""``restic version``: which restic this is.  Needs no repository."""

from pathlib import Path

from holdfast.devices.base import Program, Runner
from holdfast.restic.errors import error_of
from holdfast.restic.process import ErrorLog
from holdfast.restic.version import Version, parse_version


async def run(binary: Path | str, runner: Runner, *, run_id: str = "") -> Version:
    """The version of the restic at *binary*, where *runner* runs programs.

    Raises ProgramNotFoundError, or UnsupportedVersionError when it is no restic.
    """
    # Without --json, because the oldest answer to that is not JSON either.
    program = Program(argv=(str(binary), "version"), run_id=run_id)
    log = ErrorLog()
    async with runner.start(program) as process:
        lines = [line async for line in process.lines()]
        async for line in process.error_lines():
            log.feed(line)
        finished = log.finished(await process.wait())
    if finished.exit_code != 0:
        raise error_of(finished.exit_code, finished.tail)
    return parse_version(b"\n".join(lines).decode(errors="replace"))
