"""What a machine is: who we are there, its processor, its room, its container engines."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import msgspec

from holdfast.devices.base import Program, Runner
from holdfast.kernel.errors import HoldfastError

SCRIPT = files("holdfast.devices").joinpath("facts.sh").read_text(encoding="utf-8")


CLOCK_MAY_DIFFER = timedelta(minutes=5)
"""restic takes a lock for forgotten after half an hour."""


class StrangeDeviceError(HoldfastError):
    """The machine does not answer as one with a POSIX shell does."""

    code = "strange_device"
    guidance = "Holdfast needs a Unix shell there; a restricted shell will not do."


class SudoRefusedError(HoldfastError):
    """Programs on the device are to run as root, and sudo does not let us become that."""

    code = "sudo_refused"
    guidance = "Allow it with NOPASSWD in sudoers, log in as root, or switch sudo off."


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One machine, as it is at this moment."""

    user: str
    uid: int
    hostname: str
    system: str
    """As ``uname -s`` says, ``Linux`` mostly."""
    machine: str
    """The processor, as ``uname -m`` says."""
    program: str
    """Where the program that was looked for is; empty: nowhere."""
    sudo: bool
    """Whether we may become root there unasked."""
    docker: str
    """The socket that answers to us; empty: none."""
    podman: str
    cache: str
    """Where our own files may be; it may have to be made."""
    free_bytes: int
    """Where the cache is or will be."""
    clock_ahead: timedelta
    """By how much its clock is ahead of ours, to a second or two."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody should look after there, a sentence each."""
        if abs(self.clock_ahead) < CLOCK_MAY_DIFFER:
            return ()
        minutes = round(abs(self.clock_ahead).total_seconds() / 60)
        side = "ahead of" if self.clock_ahead > timedelta(0) else "behind"
        return (
            f"The device's clock is {minutes} minutes {side} this machine's: set it, best by NTP. "
            "Locks that are made there carry its time, and so may be taken for forgotten ones.",
        )


async def facts_of(runner: Runner, now: Callable[[], datetime], *, program: str) -> DeviceFacts:
    """Ask the machine; *program* is looked for on its PATH.  Raises StrangeDeviceError."""
    async with runner.start(Program(argv=("sh", "-c", SCRIPT, "facts", program))) as process:
        lines = [line async for line in process.lines()]
        await process.wait()
    return read_facts(b"\n".join(lines).decode(errors="replace"), now())


def read_facts(told: str, now: datetime) -> DeviceFacts:
    """The facts that the script told.  Raises StrangeDeviceError when some are missing."""
    found: dict[str, str] = {}
    for line in told.splitlines():
        name, _, value = line.partition("=")
        found[name] = value
    try:
        clock = datetime.fromtimestamp(int(found["clock"]), UTC)
        return DeviceFacts(
            user=found["user"],
            uid=int(found["uid"]),
            hostname=found["hostname"],
            system=found["system"],
            machine=found["machine"],
            program=found["program"],
            sudo=found.get("sudo") == "yes",
            docker=found.get("docker", ""),
            podman=found.get("podman", ""),
            cache=found["cache"],
            free_bytes=int(found["free_kib"]) * 1024,
            clock_ahead=clock - now,
        )
    except (KeyError, ValueError) as error:
        raise StrangeDeviceError(detail=told[:500]) from error
