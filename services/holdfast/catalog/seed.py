"""What a first start puts in place, so that nothing has to be set up by hand.

Every step can be broken off and done again, by any number of processes at once: rows are
inserted unless they are there, and the token's file is whole before its hash is known.
"""

import contextlib
import socket
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from holdfast.catalog.answers.changed import configuration_changed
from holdfast.catalog.domain.policy import Terms
from holdfast.catalog.store import (
    configurations,
    devices,
    instance,
    outbox,
    policies,
    tokens,
)
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.changes import Change
from holdfast.events.system import SystemType
from holdfast.events.views import KeepRules
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import derived_id, new_id
from holdfast.kernel.private_file import create_private
from holdfast.secretbox.tokens import new_token, token_hash
from holdfast.settings import Settings

ADMINISTRATOR = "administrator"


class AdminTokenError(HoldfastError):
    """The administrator's token cannot be read or written."""

    code = "admin_token"
    guidance = "Check the owner and the mode of the file admin-token in the data directory."


async def seed(
    pool: asyncpg.Pool, settings: Settings, now: datetime, *, hostname: str | None = None
) -> UUID:
    """Make what is missing; the instance's id.

    *hostname* names the first device; None: the machine's own.  Raises AdminTokenError.
    """
    token = admin_token(settings.admin_token_file)
    async with transaction(pool) as connection:
        await policies.lock(connection)
        instance_id = await instance.name_instance(connection, new_id(), now)
        await policies.add_first(connection, new_id(), default_policy(settings.timezone), now)
        await devices.add_first(
            connection,
            new_id(),
            hostname or socket.gethostname() or "this-machine",
            settings.site,
            now,
        )
        await tokens.add(connection, token_hash(token), ADMINISTRATOR, now)
        if settings.system_backups:
            await _protect_ourselves(connection, instance_id, now)
    return instance_id


async def _protect_ourselves(connection: Connection, instance_id: UUID, now: datetime) -> None:
    """Back Holdfast itself up by the default policy, unless somebody decided about that."""
    policy_id = await policies.the_default(connection)
    for kind in SystemType:
        id = derived_id("system", instance_id, kind)
        if await configurations.add_system(connection, id, kind, policy_id, now):
            await outbox.add(connection, configuration_changed(id, Change.CREATED, now))


def default_policy(timezone: str) -> Terms:
    """What every new app is protected by."""
    return Terms(
        name="Default Daily Backups",
        description="Daily backups at 2 AM, retain 7 daily, 4 weekly, 6 monthly",
        schedule="0 2 * * *",
        timezone=timezone,
        enabled=True,
        is_default=True,
        keep=KeepRules(keep_daily=7, keep_weekly=4, keep_monthly=6),
    )


def admin_token(path: Path) -> str:
    """The token in *path*; a new one, readable by the owner alone, if there is no file.

    The file appears whole or not at all, and the first of several processes wins: the others
    read what it wrote.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private(path, f"{new_token()}\n".encode())
        return _read(path)
    except OSError as error:
        raise AdminTokenError(detail=str(error)) from error


def _read(path: Path) -> str:
    token = path.read_text(encoding="ascii").strip()
    if not token:
        raise AdminTokenError(
            f"The file {path} is empty.", guidance="Remove it; the next start makes a new one."
        )
    return token
