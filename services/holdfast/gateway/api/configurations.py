"""Configurations: tie apps to policies, and back up now."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation

from holdfast.events.queries import (
    DeleteConfiguration,
    GetConfiguration,
    GetConfigurationSchedule,
    ListConfigurations,
    PreviewSchedule,
    StartBackup,
)
from holdfast.events.views import (
    BackupStarted,
    ConfigurationView,
    RunAccepted,
    RunView,
    SchedulePreview,
    ScheduleView,
)
from holdfast.gateway.api.problems import problems
from holdfast.gateway.api.snapshots import CursorText, Limit
from holdfast.gateway.api.waiting import run_or_accepted, run_responses
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.schemas.configurations import (
    ConfigurationList,
    ConfigurationPatch,
    ConfigurationRequest,
    DrillRequest,
)

ScheduleText = Annotated[
    str, QueryParameter(max_length=200, description="Five cron fields, or @daily and the like.")
]
ZoneText = Annotated[
    str,
    QueryParameter(max_length=64, description="An IANA time zone; empty: the instance's own."),
]


class ConfigurationRoutes(Controller):
    """Which app is backed up by which policy."""

    path = "/backup/configurations"
    tags = ("Configurations",)

    @post(
        "/",
        operation_id="createConfiguration",
        summary="Tie an app to a policy",
        responses=problems(404, 409, 422),
    )
    async def create(
        self,
        data: JSONBody[ConfigurationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> ConfigurationView:
        """The same tie twice is the one that exists, changed."""
        return await catalog.ask(data.query())

    @get(
        "/",
        operation_id="listConfigurations",
        summary="List configurations, oldest first",
        responses=problems(),
    )
    async def all(
        self,
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        app_id: FromQuery[UUID | None] = None,
    ) -> ConfigurationList:
        """All of them, or those of one app."""
        return ConfigurationList(
            configurations=await catalog.ask(ListConfigurations(app_id=app_id))
        )

    @get(
        "/{configuration_id:uuid}",
        operation_id="getConfiguration",
        summary="Look at one configuration",
        responses=problems(404),
    )
    async def one(
        self,
        configuration_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> ConfigurationView:
        """As it stands."""
        return await catalog.ask(GetConfiguration(configuration_id=configuration_id))

    @patch(
        "/{configuration_id:uuid}",
        operation_id="updateConfiguration",
        summary="Change a configuration; what is absent stays",
        responses=problems(404, 409, 422),
    )
    async def change(
        self,
        configuration_id: FromPath[UUID],
        data: JSONBody[ConfigurationPatch],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> ConfigurationView:
        """The next backup goes by it."""
        return await catalog.ask(data.query(configuration_id))

    @delete(
        "/{configuration_id:uuid}",
        operation_id="deleteConfiguration",
        summary="Delete a configuration; its snapshots stay and can be restored",
        responses=problems(404, 409),
    )
    async def remove(
        self,
        configuration_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> None:
        """Retention no longer acts on its snapshots."""
        await catalog.ask(DeleteConfiguration(configuration_id=configuration_id))

    @get(
        "/{configuration_id:uuid}/schedule",
        operation_id="getConfigurationSchedule",
        summary="Past and next due times of a configuration",
        responses=problems(404),
    )
    async def schedule(
        self,
        configuration_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> ScheduleView:
        """What became of every due time, newest first, and the next ten with jitter."""
        return await catalog.ask(
            GetConfigurationSchedule(configuration_id=configuration_id, limit=limit, cursor=cursor)
        )

    @post(
        "/{configuration_id:uuid}/backup",
        operation_id="startBackup",
        summary="Back up now",
        status_code=202,
        responses=problems(404, 409),
    )
    async def back_up(
        self,
        configuration_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> BackupStarted:
        """Answers at once; the run tells how it goes on."""
        return await catalog.ask(StartBackup(configuration_id=configuration_id))

    @post(
        "/{configuration_id:uuid}/drill",
        operation_id="startDrill",
        summary="Prove now that a snapshot can be restored",
        status_code=202,
        responses=run_responses(
            "The run that restores it to a scratch place", "it is proved, and this is the evidence"
        ),
    )
    async def drill(
        self,
        configuration_id: FromPath[UUID],
        data: JSONBody[DrillRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        wait: FromQuery[bool] = False,
    ) -> Response[RunAccepted | RunView]:
        """The newest snapshot at the destination not tried for the longest time, or another.

        Answers at once, or with `wait` when it has ended; the run goes on when nobody waits.
        """
        accepted = await catalog.ask(data.query(configuration_id))
        return await run_or_accepted(catalog, accepted, wait=wait)


@get(
    "/backup/schedule/preview",
    operation_id="previewSchedule",
    summary="When a schedule would come due next",
    tags=["Configurations"],
    responses=problems(),
)
async def preview_schedule(
    schedule: ScheduleText,
    catalog: NamedDependency[SkipValidation[CatalogClient]],
    timezone: ZoneText = "",
) -> SchedulePreview:
    """The next ten times; a schedule or a zone that will not do is named."""
    return await catalog.ask(PreviewSchedule(schedule=schedule, timezone=timezone))
