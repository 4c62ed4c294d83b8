"""``restic check``: whether the repository is whole.

restic's text is read, not its JSON: only the text tells how far a check is, and which packs
are missing.
"""

import re
from collections.abc import Callable

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.errors import RepositoryDamagedError, error_of
from holdfast.restic.process import Restic

MOST_PACKS = 1000
"""So many damaged packs are named; who has more has lost the disk."""

MOST_PARTS = 256
"""restic tells parts apart by the first byte of a pack's id."""

UPDATES_A_SECOND = "1"

_GROUP = re.compile(rb"^read group #\d+ of (\d+) data packs \(out of total (\d+) packs")
_DONE = re.compile(rb"(\d+) / (\d+) packs")
_MISSING = re.compile(rb"pack ([0-9a-f]{64}): does not exist")
_DAMAGED = re.compile(rb"pack ([0-9a-f]{64})(?: contains|: unexpected| failed)")
_REPAIR = re.compile(rb"restic repair packs ((?:[0-9a-f]{64} ?)+)")
_TREE = re.compile(rb"error for tree ([0-9a-f]{8,64}):")


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough.  Without reading the data a check sees missing packs, not flipped bits."""

    read_part: tuple[int, int] | None = None
    """Part n of t: all parts from 1 to t read every byte once, and 1 of 1 is all of them."""
    lock: bool = True
    """A check needs the repository alone; without the lock it runs beside a backup."""


DEFAULT = CheckOptions()


class CheckProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the reading of the data is."""

    packs_done: int
    packs: int
    packs_in_repository: int


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """A check that ran to its end, whatever it found."""

    sound: bool = True
    damaged_packs: tuple[str, ...] = ()
    """There, but not as they were written."""
    missing_packs: tuple[str, ...] = ()
    damaged_trees: tuple[str, ...] = ()
    """Directories that cannot be read; short ids."""
    packs_read: int = 0
    packs_in_repository: int = 0
    detail: str = ""
    """restic's own words, the last of them."""


class _Found:
    """What restic's lines say, gathered without growing."""

    def __init__(self, on_progress: Callable[[CheckProgress], None]) -> None:
        self._on_progress = on_progress
        self.damaged: dict[str, None] = {}
        self.missing: dict[str, None] = {}
        self.trees: dict[str, None] = {}
        self.packs = 0
        self.packs_in_repository = 0

    def line(self, line: bytes) -> None:
        """One of standard output."""
        if group := _GROUP.match(line):
            self.packs, self.packs_in_repository = int(group[1]), int(group[2])
            self._tell(0)
        elif self.packs and (done := _DONE.search(line)):
            self._tell(int(done[1]))

    def error_line(self, line: bytes) -> None:
        """One of standard error."""
        for pattern, into in ((_MISSING, self.missing), (_DAMAGED, self.damaged)):
            for pack in pattern.findall(line):
                _keep(into, pack)
        if repair := _REPAIR.search(line):
            for pack in repair[1].split():
                _keep(self.damaged, pack)
        for tree in _TREE.findall(line):
            _keep(self.trees, tree)

    def _tell(self, done: int) -> None:
        self._on_progress(
            CheckProgress(
                packs_done=done, packs=self.packs, packs_in_repository=self.packs_in_repository
            )
        )


def argv(options: CheckOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["check", "--json=false"] if options.lock else ["check", "--json=false", "--no-lock"]
    if options.read_part is not None:
        part, parts = options.read_part
        if not 1 <= part <= parts <= MOST_PARTS:
            raise InvalidRequestError("The part to read is from 1 to the number of parts (256).")
        argv += ["--read-data-subset", f"{part}/{parts}"]
    return tuple(argv)


async def run(
    restic: Restic,
    options: CheckOptions = DEFAULT,
    *,
    on_progress: Callable[[CheckProgress], None] = lambda _: None,
) -> CheckResult:
    """Check, and say what was found.

    Raises a ResticError only when the check itself could not be made.
    """
    found = _Found(on_progress)
    started = restic.start(
        argv(options),
        environment={"RESTIC_PROGRESS_FPS": UPDATES_A_SECOND},
        on_error_line=found.error_line,
    )
    async with started as running:
        async for line in running.lines():
            found.line(line)
        finished = await running.finish()
    if finished.exit_code != 0:
        # A pack that was cut off is damage here, not a connection that broke.
        words = [line.lower().replace("unexpected eof", "") for line in finished.tail]
        if not isinstance(error_of(finished.exit_code, words), RepositoryDamagedError):
            raise error_of(finished.exit_code, finished.tail)
    return CheckResult(
        sound=finished.exit_code == 0,
        damaged_packs=tuple(pack for pack in found.damaged if pack not in found.missing),
        missing_packs=tuple(found.missing),
        damaged_trees=tuple(found.trees),
        packs_read=found.packs,
        packs_in_repository=found.packs_in_repository,
        detail=finished.detail,
    )


def _keep(into: dict[str, None], name: bytes) -> None:
    if len(into) < MOST_PACKS:
        into[name.decode()] = None
