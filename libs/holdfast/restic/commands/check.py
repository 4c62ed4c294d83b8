"""``restic check``: whether the repository is whole."""

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.errors import error_of
from holdfast.restic.messages import CheckSummary, Message
from holdfast.restic.process import Restic


class CheckOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough.  Without reading the data a check sees missing packs, not flipped bits."""

    read_data: bool = False
    read_part: tuple[int, int] | None = None
    """Part n of t: all parts from 1 to t read every byte once."""
    lock: bool = True
    """A check needs the repository alone; without the lock it runs beside a backup."""


DEFAULT = CheckOptions()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """A check that ran to its end, whatever it found."""

    summary: CheckSummary
    detail: str = ""

    @property
    def sound(self) -> bool:
        return self.summary.num_errors == 0 and not self.summary.broken_packs


def argv(options: CheckOptions) -> tuple[str, ...]:
    """restic's arguments."""
    argv = ["check"] if options.lock else ["check", "--no-lock"]
    if options.read_part is not None:
        part, parts = options.read_part
        if not 1 <= part <= parts <= 256:
            raise InvalidRequestError("The part to read is from 1 to the number of parts (256).")
        argv += ["--read-data-subset", f"{part}/{parts}"]
    elif options.read_data:
        argv.append("--read-data")
    return tuple(argv)


async def run(restic: Restic, options: CheckOptions = DEFAULT) -> CheckResult:
    """Check, and say what was found.

    Raises a ResticError only when the check itself could not be made.
    """
    summaries: list[CheckSummary] = []

    def on_message(message: Message) -> None:
        if isinstance(message, CheckSummary):
            summaries.append(message)

    finished = await restic.run(
        argv(options), accept=(0, 1), summary=CheckSummary, on_message=on_message
    )
    if finished.exit_code == 1 and not any(summary.num_errors for summary in summaries):
        raise error_of(finished.exit_code, finished.tail)
    # Before 0.18 there is no summary; a check that ends well has found nothing.
    summary = summaries[-1] if summaries else CheckSummary()
    return CheckResult(summary=summary, detail=finished.detail)
