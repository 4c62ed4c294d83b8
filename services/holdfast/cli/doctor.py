"""``holdfast doctor``: what is there, what is missing, and the command that mends it."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import httpx
import msgspec
from rich.console import Console
from rich.text import Text

from holdfast.cli.client import GatewayClient, address_file
from holdfast.cli.commands import KIT_WANTED
from holdfast.embedded.nats import nats_server_binary
from holdfast.embedded.postgres import postgres_binaries
from holdfast.events.views import StatusView
from holdfast.kernel.errors import HoldfastError
from holdfast.restic.binary import find_restic
from holdfast.settings import Settings

OLDEST_PYTHON = (3, 11)
OLDEST_RESTIC = (0, 18)
ANSWER_SECONDS = 10.0


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Holdfast works without it, or only a part of it does not."""
    MISSING = "missing"
    """Nothing works without it."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    """What is there, or what is wrong."""
    mend: str = ""
    """The command that mends it; empty when nothing needs mending."""


def checks(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at everything, in the order in which things are needed."""
    settings = Settings.from_environment(environ)
    gateway = check_gateway(environ.get("HOLDFAST_URL") or _address(settings.data))
    return [
        check_python(sys.version_info[:3]),
        check_restic(settings.restic),
        check_server("NATS server", nats_server_binary, own=not settings.nats_url),
        check_server(
            "Postgres server",
            lambda: postgres_binaries() / "postgres",
            own=not settings.postgres_dsn,
        ),
        check_program("setpriv", "util-linux", "servers end with Holdfast", needed=True),
        check_program(
            "unshare", "util-linux", "Postgres is started by root", needed=os.geteuid() == 0
        ),
        check_certificates(),
        check_data(settings.data),
        gateway,
        *([check_recovery_kit(environ)] if gateway.state is State.OK else []),
    ]


def run(environ: Mapping[str, str] = os.environ) -> int:
    """Print every check; 1 when something that is needed is missing, else 0."""
    console = Console(highlight=False)
    found = checks(environ)
    for check in found:
        _print(console, check)
    missing = sum(check.state is State.MISSING for check in found)
    warnings = sum(check.state is State.WARNING for check in found)
    console.print()
    if missing:
        console.print(Text(f"{missing} missing, {warnings} to look at."))
        return 1
    console.print(Text("Everything that is needed is there."))
    return 0


def _print(console: Console, check: Check) -> None:
    mark, style = {
        State.OK: ("ok     ", "green"),
        State.WARNING: ("look at", "yellow"),
        State.MISSING: ("missing", "bold red"),
    }[check.state]
    line = Text.assemble((mark, style), "  ", (f"{check.name:<18}", "bold"), check.found)
    console.print(line, soft_wrap=True)
    if check.mend:
        console.print(Text(f"{'':9}{check.mend}"), soft_wrap=True)


def check_python(version: tuple[int, ...]) -> Check:
    """Python itself."""
    text = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return Check(name="Python", state=State.OK, found=text)
    return Check(
        name="Python",
        state=State.MISSING,
        found=f"{text} is too old; 3.11 is the oldest that works",
        mend="apt-get install python3   (Debian 12 or newer)",
    )


def check_restic(explicit: Path | None) -> Check:
    """restic, and whether it is new enough."""
    name, mend = "restic", "./just setup"
    try:
        path = find_restic(explicit)
    except HoldfastError as error:
        return Check(name=name, state=State.MISSING, found=error.message, mend=error.hint or mend)
    said = _output([str(path), "version"])
    match = re.match(r"restic (\d+)\.(\d+)\S*", said)
    if match is None:
        found = f"{path} does not tell a version of restic"
        return Check(name=name, state=State.MISSING, found=found, mend=mend)
    text = match.group().removeprefix("restic ")
    if (int(match[1]), int(match[2])) < OLDEST_RESTIC:
        found = f"{path} is {text}; 0.18 is the oldest that works"
        return Check(name=name, state=State.MISSING, found=found, mend=mend)
    return Check(name=name, state=State.OK, found=f"{text}, {path}")


def check_server(name: str, find: Callable[[], Path], *, own: bool) -> Check:
    """A server that ``holdfast up`` brings along; *own* unless the settings name an outside one."""
    if not own:
        return Check(name=name, state=State.OK, found="an outside one, named in the settings")
    try:
        path = find()
    except HoldfastError as error:
        return Check(name=name, state=State.MISSING, found=error.message, mend="./just setup")
    said = _output([str(path), "--version"])
    if not said:
        found = f"{path} does not run on this machine"
        return Check(name=name, state=State.MISSING, found=found, mend="./just setup")
    return Check(name=name, state=State.OK, found=said.splitlines()[0])


def check_program(program: str, package: str, purpose: str, *, needed: bool) -> Check:
    """A program of the system's, found on PATH."""
    path = shutil.which(program)
    if path is not None:
        return Check(name=program, state=State.OK, found=path)
    return Check(
        name=program,
        state=State.MISSING if needed else State.WARNING,
        found=f"not on PATH; needed so that {purpose}" if needed else f"only for {purpose}",
        mend=f"apt-get install {package}",
    )


def check_certificates(paths: ssl.DefaultVerifyPaths | None = None) -> Check:
    """The certificates by which S3 servers are known."""
    places = paths or ssl.get_default_verify_paths()
    file = places.cafile
    folder = Path(places.capath) if places.capath else None
    if file is not None and Path(file).is_file():
        return Check(name="CA certificates", state=State.OK, found=file)
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        return Check(name="CA certificates", state=State.OK, found=str(folder))
    return Check(
        name="CA certificates",
        state=State.WARNING,
        found="none; no S3 destination over HTTPS can be reached",
        mend="apt-get install ca-certificates",
    )


def check_data(data: Path) -> Check:
    """Whether the data directory can be written, or made."""
    there = data
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        found = str(data) if there == data else f"{data}, made at the first start"
        return Check(name="data directory", state=State.OK, found=found)
    return Check(
        name="data directory",
        state=State.MISSING,
        found=f"{data} cannot be written: {there} is not ours, or no directory",
        mend="name another with HOLDFAST_DATA=DIR",
    )


def check_gateway(url: str) -> Check:
    """Whether Holdfast runs: only to be known, for the first ``holdfast up`` is yet to come."""
    name, mend = "gateway", "holdfast up"
    if not url:
        return Check(name=name, state=State.WARNING, found="not running here", mend=mend)
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        found = f"{url} does not answer: {str(error) or type(error).__name__}"
        return Check(name=name, state=State.WARNING, found=found, mend=mend)
    if not answer.is_success:
        found = f"{url} answers {answer.status_code}"
        return Check(name=name, state=State.WARNING, found=found, mend="look at its log")
    return Check(name=name, state=State.OK, found=url)


def check_recovery_kit(environ: Mapping[str, str]) -> Check:
    """Whether somebody has on paper what opens the backups."""
    name = "recovery kit"
    try:
        with GatewayClient.find(environ) as client:
            kit = client.get("/status", StatusView).recovery_kit
    except HoldfastError as error:
        return Check(name=name, state=State.WARNING, found=f"not known: {error}")
    if wanted := KIT_WANTED.get(kit.state):
        return Check(name=name, state=State.WARNING, found=wanted, mend="holdfast recovery-kit")
    found = f"made at {kit.made_at:%Y-%m-%d %H:%M} UTC" if kit.made_at else "not needed yet"
    return Check(name=name, state=State.OK, found=found)


def _address(data: Path) -> str:
    """Where the gateway of this machine says it is; "" when it does not run."""
    try:
        return address_file(data).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _output(argv: list[str]) -> str:
    """What a program prints, or "" when it does not run."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
