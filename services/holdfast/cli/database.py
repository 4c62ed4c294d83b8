"""``holdfast restore-database``: the catalog's database from what a system backup kept of it.

It speaks to the database itself, and runs where the catalog runs, with its settings, while
Holdfast is stopped.
"""

import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import BinaryIO

import click

from holdfast.catalog.store.pool import open_pool
from holdfast.catalog.store.undump import bring_in
from holdfast.cli.keys import check_user
from holdfast.cli.up import data_directory
from holdfast.embedded.postgres import EmbeddedPostgres
from holdfast.kernel.clock import utc_now
from holdfast.settings import Settings

ADVICE = """Start Holdfast now. The secrets in it open with the master key that it had: bring back
'master-key' of its data directory, or set HOLDFAST_MASTER_PASSPHRASE, first. What was backed up
after it was made is in the repositories: 'holdfast destination import' finds it."""


async def restore_database(settings: Settings, file: Path, *, replace: bool) -> int:
    """Fill the empty database from *file*, ``-`` for standard input."""
    check_user(settings.data, os.geteuid())
    async with AsyncExitStack() as stack:
        source: BinaryIO = sys.stdin.buffer
        if str(file) != "-":
            source = stack.enter_context(file.open("rb"))
        dsn = settings.postgres_dsn
        if not dsn:
            # A 'holdfast up' that runs has it, and is told of.
            await stack.enter_async_context(data_directory(settings.data))
            postgres = EmbeddedPostgres(settings.data / "postgres")
            stack.push_async_callback(postgres.stop)
            await postgres.start()
            dsn = postgres.dsn
        pool = await open_pool(dsn, max_size=1)
        stack.push_async_callback(pool.close)
        async with pool.acquire() as connection:
            await connection.execute("set application_name = 'holdfast-restore'")
            await connection.execute("set statement_timeout = 0")
            await connection.execute("set idle_in_transaction_session_timeout = 0")
            aside = await bring_in(connection, source, utc_now(), replace=replace)
    if aside:
        click.echo(f"What was there is in the schema {aside} of the same database.")
    click.echo(f"The database is as it was.\n{ADVICE}")
    return 0
