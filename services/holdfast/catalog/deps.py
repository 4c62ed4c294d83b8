"""What the catalog's handlers and answers are given: made once, in service.py."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from holdfast.catalog.secrets import CatalogSecrets
from holdfast.catalog.waiting import Waiter
from holdfast.kernel.clock import Now
from holdfast.settings import Settings


@dataclass(frozen=True)
class Deps:
    """Everything outside that the catalog uses."""

    pool: asyncpg.Pool
    """Made by ``store.pool.open_pool``: its connections speak JSON and time in UTC."""
    now: Now
    settings: Settings
    secrets: CatalogSecrets
    instance_id: UUID
    wake: asyncio.Event
    """Set it after a commit that left a run to admit or an event to publish: admission and
    relay then look at once.  They look every second anyway, so a lost wake does no harm."""
    waiter: Waiter
    """Who waits for which run's end."""
