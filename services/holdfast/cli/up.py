"""``holdfast up``: NATS, Postgres and all six services from one command and one directory."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from holdfast.cli.client import address_file
from holdfast.cli.services import run_services, stop_on_signals
from holdfast.embedded.nats import EmbeddedNats
from holdfast.embedded.postgres import EmbeddedPostgres
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.settings import Settings
from holdfast.telemetry.logs import set_up_logging

FIRST_STEPS = """Add a destination, then run 'holdfast recovery-kit' and print the page:
if this machine is lost, that page and restic bring the backups back."""


def settings_for(data: Path | None, listen: str | None) -> Settings:
    """The environment's settings, with what the command line says on top."""
    settings = Settings.from_environment(os.environ)
    if data is not None:
        settings = msgspec.structs.replace(settings, data=data.absolute())
    if listen is not None:
        settings = msgspec.structs.replace(settings, listen=listen)
    return settings


async def up(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; one line ``ready http://HOST:PORT`` when it serves.

    Raises ConflictError when another one runs on the same directory.
    """
    set_up_logging(settings.log_level)
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(data_directory(settings.data))
        settings = await _servers(settings, stack)
        first_start = not settings.admin_token_file.exists()

        def announce(url: str) -> None:
            _announce(settings, url)
            if first_start:
                print(FIRST_STEPS, flush=True)

        await run_services(["all"], settings, stop, announce)
        address_file(settings.data).unlink(missing_ok=True)


@asynccontextmanager
async def data_directory(data: Path) -> AsyncIterator[None]:
    """Our own directory, mode 0700, for one process at a time."""
    _make_private(data)
    with (data / "lock").open("w") as file:
        try:
            # The kernel gives it up when the process dies, however it dies.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"Another 'holdfast up' runs on {data}.",
                guidance="Stop it first, or name another directory with --data.",
            ) from error
        yield


def _make_private(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
    except OSError as error:
        raise InvalidRequestError(
            f"The data directory {data} cannot be made: {error.strerror}.",
            guidance="Name another with --data or HOLDFAST_DATA.",
        ) from error


async def _servers(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Start the servers that are not given from outside."""
    nats = None if settings.nats_url else EmbeddedNats(settings.data / "nats")
    postgres = None if settings.postgres_dsn else EmbeddedPostgres(settings.data / "postgres")
    own = [server for server in (nats, postgres) if server is not None]
    for server in own:
        stack.push_async_callback(server.stop)
    await asyncio.gather(*(server.start() for server in own))
    return msgspec.structs.replace(
        settings,
        nats_url=nats.url if nats else settings.nats_url,
        postgres_dsn=postgres.dsn if postgres else settings.postgres_dsn,
    )


def _announce(settings: Settings, url: str) -> None:
    path = address_file(settings.data)
    path.write_text(url + "\n", encoding="utf-8")
    print(f"ready {url}", flush=True)
