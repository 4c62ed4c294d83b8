"""Our own programs on a device: put into a private cache there, checked by digest each time."""

import asyncio
import hashlib
import platform
import shlex
from importlib.resources import files
from pathlib import Path

import asyncssh

from holdfast.devices.base import DeviceLostError, Program, Runner
from holdfast.devices.facts import DeviceFacts
from holdfast.kernel.errors import HoldfastError

SCRIPT = files("holdfast.devices").joinpath("place_program.sh").read_text(encoding="utf-8")

FULL = "No space left"

SPARE_BYTES = 64 * 1024 * 1024
"""What must stay free on the device after a program was put there."""


class OtherProcessorError(HoldfastError):
    """Our program does not run on the device's processor."""

    code = "other_processor"
    guidance = "Install it there with the device's own package manager."


class DeviceFullError(HoldfastError):
    """The device has no room for a program that a backup needs."""

    code = "device_full"
    guidance = "Free some space there, or install the program there yourself."


class NotPlacedError(HoldfastError):
    """A program that a backup needs cannot be put onto the device."""

    code = "program_not_placed"
    guidance = (
        "The login needs a place there where it may write and run programs: look at its home, or "
        "set XDG_CACHE_HOME for it in sshd_config (SetEnv)."
    )


async def placed(
    connection: asyncssh.SSHClientConnection, runner: Runner, facts: DeviceFacts, program: Path
) -> str:
    """The path on the device of a copy of *program*, put there if it is missing or another.

    Its name there holds its digest, so that two versions never take each other's place while
    they run.  Raises OtherProcessorError, DeviceFullError, NotPlacedError, DeviceLostError.
    """
    if (facts.system, facts.machine) != (platform.system(), platform.machine()):
        raise OtherProcessorError(
            f"The device is {facts.system} {facts.machine}, and our {program.name} is for "
            f"{platform.system()} {platform.machine()}."
        )
    content = await asyncio.to_thread(program.read_bytes)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{program.name}-{digest[:16]}"
    arguments = (facts.cache, name, digest)
    if not await _is_there(runner, arguments):
        if facts.free_bytes < len(content) + SPARE_BYTES:
            raise DeviceFullError(
                f"{facts.cache} on the device has {facts.free_bytes // 2**20} MiB free, and "
                f"{program.name} needs {(len(content) + SPARE_BYTES) // 2**20}."
            )
        said = await _put(connection, arguments, content)
        if not await _is_there(runner, arguments):
            kind = DeviceFullError if FULL in said else NotPlacedError
            raise kind(f"{program.name} could not be put into {facts.cache}.", detail=said)
    return f"{facts.cache}/{name}"


async def _is_there(runner: Runner, arguments: tuple[str, ...]) -> bool:
    argv = ("sh", "-c", SCRIPT, "place", *arguments, "look")
    async with runner.start(Program(argv=argv)) as process:
        told = [line async for line in process.lines()]
        return await process.wait() == 0 and told == [b"there"]


async def _put(
    connection: asyncssh.SSHClientConnection, arguments: tuple[str, ...], content: bytes
) -> str:
    """Over a channel of its own: a runner's standard input is for little things.

    What the device says to it.
    """
    words = ("sh", "-c", SCRIPT, "place", *arguments, "put")
    try:
        done = await connection.run(shlex.join(words), input=content, encoding=None, check=False)
    except (OSError, asyncssh.Error) as error:
        raise DeviceLostError(detail=str(error)) from error
    said = done.stderr or b""
    return (said if isinstance(said, bytes) else bytes(said, "utf-8"))[:2000].decode(
        errors="replace"
    )
