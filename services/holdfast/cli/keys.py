"""``holdfast keys``: what opens the stored secrets, and changing it.

These commands speak to the database themselves: the master key never goes over HTTP or the
bus.  They run where the catalog runs, with its settings.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click
import msgspec

from holdfast.catalog.master_key import (
    TOLD,
    FileSource,
    PassphraseSource,
    Source,
    TokenSource,
    source_of,
)
from holdfast.catalog.migrate import migrate
from holdfast.catalog.rotation import Step, finish, key_files_beside, keys_status, rotate
from holdfast.catalog.store.pool import Pool, open_pool
from holdfast.cli.recovery import passphrase_from
from holdfast.cli.up import data_directory
from holdfast.embedded.postgres import EmbeddedPostgres
from holdfast.kernel.clock import utc_now
from holdfast.kernel.errors import ConflictError, InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.errors import EmptyPassphraseError
from holdfast.secretbox.token_key import TokenAccess
from holdfast.settings import Settings


class OtherUserError(InvalidRequestError):
    """Holdfast runs as another user."""

    code = "other_user"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The new master key, as the command line names it."""

    kind: str
    key_file: Path | None
    passphrase_file: Path | None
    module: Path | None
    token: str
    key: str
    pin_file: Path | None


def new_source(settings: Settings, wanted: Wanted) -> tuple[Source, str]:
    """Where the new master key comes from, and what to set so that it is used.

    Raises InvalidRequestError.
    """
    if wanted.kind == "passphrase":
        passphrase = passphrase_from(wanted.passphrase_file, "New passphrase", new=True)
        if passphrase is None:
            raise EmptyPassphraseError
        return PassphraseSource(
            passphrase
        ), "Set HOLDFAST_MASTER_PASSPHRASE, and unset HOLDFAST_PKCS11_MODULE.\n"
    if wanted.kind == "pkcs11":
        if wanted.module is None:
            raise InvalidRequestError("--to pkcs11 needs --module.")
        pin = passphrase_from(wanted.pin_file, "PIN", new=False) or Secret("")
        access = TokenAccess(
            module=wanted.module.absolute(), token=wanted.token, key=wanted.key, pin=pin
        )
        advice = (
            f"Set HOLDFAST_PKCS11_MODULE={access.module}, HOLDFAST_PKCS11_TOKEN={access.token}, "
            f"HOLDFAST_PKCS11_KEY={access.key} and HOLDFAST_PKCS11_PIN.\n"
        )
        return TokenSource(access), advice
    path = (wanted.key_file or settings.master_key_file).absolute()
    by_default = path == settings.data / "master-key"
    advice = "" if by_default else f"Set HOLDFAST_MASTER_KEY_FILE={path}.\n"
    if settings.master_passphrase is not None or settings.pkcs11_module is not None:
        advice += "Unset HOLDFAST_MASTER_PASSPHRASE and HOLDFAST_PKCS11_MODULE.\n"
    return FileSource(path), advice


async def status(settings: Settings) -> int:
    """Print what opens the secrets; 1 when the settings do not name it."""
    async with _database(settings) as pool:
        found = await keys_status(pool, source_of(settings))
    for each in found.master_keys:
        named = ", named by the settings" if each.id == found.named else ""
        click.echo(
            f"master key {each.id}: {TOLD[each.kind]}, since {each.created_at:%Y-%m-%d %H:%M} UTC"
            f"{named}"
        )
    click.echo(f"{found.data_keys} data keys, {found.secrets} secrets")
    if len(found.master_keys) > 1:
        click.echo("The master key is being changed: each of these opens everything.")
        click.echo("'holdfast keys finish' keeps the one that the settings name.")
    if found.why_not:
        click.echo(found.why_not)
    return 0 if found.named else 1


async def change(settings: Settings, new: Source, advice: str) -> int:
    """Let *new* open everything too; *advice* says what to set in the settings."""
    async with _database(settings) as pool:
        master = await rotate(pool, source_of(settings), new, utc_now(), _told)
    click.echo(f"The master key {master.id} opens everything now, and so does the one before.")
    click.echo(f"{advice}Restart Holdfast, see that it works, then run 'holdfast keys finish'.")
    return 0


async def end(settings: Settings, *, delete_old_file: bool) -> int:
    """Let only the master key that the settings name open the secrets."""
    source = source_of(settings)
    files = key_files_beside(settings.master_key_file)
    async with _database(settings) as pool:
        left = await finish(pool, source, files, _told, delete_files=delete_old_file)
    for path in left:
        click.echo(
            f"{path} opens nothing any more but old copies of the database; "
            "--delete-old-file deletes it."
        )
    return 0


def _told(step: Step) -> None:
    click.echo(f"  {step.value}")


def check_user(data: Path, user_id: int) -> None:
    """Raise OtherUserError unless the data directory, if there is one, is *user_id*'s.

    Root could do all of it, and would leave a key file and a database that Holdfast's own
    user cannot open any more.
    """
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        return
    if owner != user_id:
        raise OtherUserError(
            f"{data} belongs to another user.",
            guidance=f"Run this as the user that Holdfast runs as: sudo -u '#{owner}' holdfast …",
        )


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Pool]:
    """The catalog's database: an outside one, that of a 'holdfast up' that runs, or its own,
    started for this."""
    check_user(settings.data, os.geteuid())
    async with AsyncExitStack() as stack:
        dsn = settings.postgres_dsn or await _own(settings, stack)
        await migrate(dsn)
        pool = await open_pool(dsn, max_size=1)
        try:
            yield pool
        finally:
            await asyncio.shield(pool.close())


async def _own(settings: Settings, stack: AsyncExitStack) -> str:
    postgres = EmbeddedPostgres(settings.data / "postgres")
    try:
        await stack.enter_async_context(data_directory(settings.data))
    except ConflictError:
        return postgres.running_dsn
    stack.push_async_callback(postgres.stop)
    await postgres.start()
    return postgres.dsn
