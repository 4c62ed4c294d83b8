"""``restic dump`` into the standard input of another program, both where the files are."""

from holdfast.restic.commands.dump import DumpOptions, argv
from holdfast.restic.errors import ResticError, error_of
from holdfast.restic.process import Restic

TAKER_FAILED = 90

PIPE = """
engine=$1 container=$2 line=$3
shift 3
told=$(mktemp) || exit
trap 'rm -f "$told"' EXIT
{ "$@"; echo "$?" >"$told"; } | "$engine" exec -i "$container" sh -c "$line" || exit 90
exit "$(cat "$told")"
"""
"""A shell has one exit status for both; that of the one that takes comes first, for when it ends
early the other has nobody to write to.  The other's goes by a file: any descriptor may be one
of restic's secrets."""


class TakerFailedError(ResticError):
    """The program in the container did not take what was dumped."""

    code = "dump_not_taken"
    guidance = "The detail has its own words."


async def run(restic: Restic, options: DumpOptions, engine: str, container: str, line: str) -> None:
    """The content goes into *line*, a line of shell in a container.

    Raises TakerFailedError, and what restic's failure means.
    """
    before = ("sh", "-c", PIPE, "pipe", engine, container, line)
    async with restic.start(argv(options), before=before) as running:
        async for _ in running.chunks():
            pass
        finished = await running.finish()
    if finished.exit_code == TAKER_FAILED:
        raise TakerFailedError(detail=finished.detail)
    if finished.exit_code != 0:
        raise error_of(finished.exit_code, finished.tail)
