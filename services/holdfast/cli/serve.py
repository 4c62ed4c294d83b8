"""``holdfast serve NAME…``: some services against servers that are there already."""

import asyncio
from collections.abc import Sequence

from holdfast.cli.services import run_services, stop_on_signals
from holdfast.kernel.errors import InvalidRequestError
from holdfast.settings import Settings
from holdfast.telemetry.logs import set_up_logging


async def serve(names: Sequence[str], settings: Settings) -> None:
    """Run the services until SIGTERM or SIGINT.  Raises InvalidRequestError."""
    set_up_logging(settings.log_level)
    if not settings.nats_url:
        raise InvalidRequestError(
            "HOLDFAST_NATS_URL is not set.",
            guidance="Name the NATS server, or use 'holdfast up', which brings its own.",
        )
    if not settings.postgres_dsn and {"catalog", "all"} & set(names):
        raise InvalidRequestError(
            "HOLDFAST_POSTGRES_DSN is not set.",
            guidance="Name the Postgres server, or use 'holdfast up', which brings its own.",
        )
    settings.data.mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    stop_on_signals(stop)

    def on_ready(address: str) -> None:
        print(f"ready {address}".rstrip(), flush=True)

    await run_services(names, settings, stop, on_ready)
