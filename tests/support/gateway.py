"""A gateway over a bus that only remembers, and samples of what a catalog answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import httpx

from holdfast.bus.testing import RecordingBus
from holdfast.events import views
from holdfast.events.queries import GetIdentity, Identity, Principal, VerifyToken
from holdfast.events.run import Failure, Operation, RunStatus, Trigger
from holdfast.events.schedule import CatchUp
from holdfast.events.work import DestinationType
from holdfast.gateway.app import create_app
from holdfast.gateway.auth import TokenVerifier
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.deps import Deps
from holdfast.gateway.event_stream import EventStream
from holdfast.gateway.openapi import openapi_json
from holdfast.secretbox.envelope import ReceiverKey

TOKEN = "a-token-for-tests"
WHEN = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
ID = UUID("0190a000-0000-7000-8000-000000000001")
RUN_ID = UUID("0190a000-0000-7000-8000-000000000002")


class Clock:
    """Monotonic time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class CurrentDeps:
    """Stands for whatever Deps the present test has, so that all tests share one application."""

    def __init__(self) -> None:
        self.now: Deps | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


CURRENT = CurrentDeps()


@cache
def shared_app() -> Any:
    """Making an application takes a tenth of a second; it keeps nothing between requests."""
    return create_app(cast(Deps, CURRENT))


class GatewayHouse:
    """The application, the bus below it, and a client with a good token."""

    def __init__(self) -> None:
        self.catalog_key = ReceiverKey.generate()
        self.bus = RecordingBus(
            {
                VerifyToken: Principal(name="admin"),
                GetIdentity: Identity(instance_id=ID, public_key=self.catalog_key.public),
            }
        )
        self.stopping = asyncio.Event()
        self.clock = Clock()
        self.started = True
        catalog = CatalogClient(self.bus, self.stopping, self.clock)
        CURRENT.now = Deps(
            catalog=catalog,
            tokens=TokenVerifier(catalog, self.clock),
            events=EventStream(self.bus, self.stopping),
            has_started=lambda: self.started,
            openapi=openapi_json,
        )
        self.app: Any = shared_app()

    @asynccontextmanager
    async def client(self, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client that talks to the application in this process."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://gateway",
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
        ) as client:
            yield client

    def asked(self, kind: type[Any]) -> Any:
        """The one question of a kind that was put."""
        (query,) = [each for each in self.bus.asked if isinstance(each, kind)]
        return query


def device(**changes: Any) -> views.DeviceView:
    values = {"id": ID, "name": "nas", "type": "local", "site": "main", "created_at": WHEN}
    return views.DeviceView(**(values | changes))


def app(**changes: Any) -> views.AppView:
    values = {"id": ID, "name": "photos", "device_id": ID, "paths": ("/srv",), "created_at": WHEN}
    return views.AppView(**(values | changes))


def destination(**changes: Any) -> views.DestinationView:
    values = {
        "id": ID,
        "name": "NAS Backups",
        "type": DestinationType.LOCAL,
        "enabled": True,
        "repo_initialized": True,
        "repository_id": "abc123",
        "local_device_id": ID,
        "local_path": "/mnt/nfs/backups/homelab-backups",
        "prune_schedule": "0 4 * * 0",
        "total_snapshots": 0,
        "total_size": 0,
        "created_at": WHEN,
        "updated_at": WHEN,
    }
    return views.DestinationView(**(values | changes))


def policy(**changes: Any) -> views.PolicyView:
    values = {
        "id": ID,
        "name": "Daily Backups",
        "description": "",
        "is_default": False,
        "schedule": "0 2 * * *",
        "timezone": "UTC",
        "enabled": True,
        "jitter_seconds": 0,
        "window_start": None,
        "window_end": None,
        "catch_up": CatchUp.RUN_ONCE,
        "keep_last": 0,
        "keep_hourly": 0,
        "keep_daily": 7,
        "keep_weekly": 4,
        "keep_monthly": 6,
        "keep_yearly": 0,
        "destinations": (
            views.DestinationRef(id=ID, name="NAS Backups", type=DestinationType.LOCAL),
        ),
        "created_at": WHEN,
        "updated_at": WHEN,
    }
    return views.PolicyView(**(values | changes))


def configuration(**changes: Any) -> views.ConfigurationView:
    values = {
        "id": ID,
        "app_id": ID,
        "is_system_backup": False,
        "system_type": None,
        "policy_id": ID,
        "backup_volumes": True,
        "backup_compose": True,
        "backup_env": False,
        "include_paths": (),
        "exclude_paths": (),
        "enabled": True,
        "created_at": WHEN,
        "updated_at": WHEN,
    }
    return views.ConfigurationView(**(values | changes))


def snapshot(**changes: Any) -> views.SnapshotView:
    values = {
        "id": ID,
        "run_id": RUN_ID,
        "configuration_id": ID,
        "app_id": ID,
        "destination_id": ID,
        "restic_snapshot_id": "abc123",
        "hostname": "nas",
        "paths": ("/srv",),
        "status": RunStatus.SUCCESS,
        "files_new": 1,
        "files_changed": 0,
        "files_unmodified": 0,
        "data_added": 1073741824,
        "total_size": 5368709120,
        "duration": 120,
        "error_message": "",
        "started_at": WHEN,
        "completed_at": WHEN,
        "created_at": WHEN,
    }
    return views.SnapshotView(**(values | changes))


def run(status: RunStatus = RunStatus.SUCCESS, **changes: Any) -> views.RunView:
    values = {
        "id": RUN_ID,
        "operation": Operation.BACKUP,
        "trigger": Trigger.MANUAL,
        "status": status,
        "configuration_id": None,
        "app_id": None,
        "app_name": "",
        "destination_ids": (ID,),
        "scheduled_for": None,
        "attempt": 1,
        "retry_of": None,
        "not_before": None,
        "claim": 1,
        "queued_at": WHEN,
        "started_at": WHEN,
        "completed_at": WHEN if status.is_outcome else None,
        "cancel_requested_at": None,
        "failure": None,
        "result": None,
    }
    return views.RunView(**(values | changes))


def accepted() -> views.RunAccepted:
    return views.RunAccepted(run_id=RUN_ID, status=RunStatus.QUEUED, destination_id=ID)


def failure(code: str, **changes: Any) -> Failure:
    values = {"code": code, "message": "It did not work.", "guidance": "Look at it."}
    return Failure(**(values | changes))
