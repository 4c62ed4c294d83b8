"""All settings at once: out as a file, in from one."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, SkipValidation

from holdfast.events.queries import ImportReport
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.portable import export_file, import_file
from holdfast.gateway.schemas.portable import ExportFile, ExportRequest, ImportRequest
from holdfast.kernel.secret import Secret

MAX_FILE_BYTES = 6 * 1024 * 1024
"""What one message on the bus can carry, with room for the rest."""


class PortableRoutes(Controller):
    """Moving an instance, and keeping its settings."""

    path = "/backup"
    tags = ("Moving",)

    @get(
        "/export",
        operation_id="exportSettings",
        summary="All settings as one file, without secrets",
        responses=problems(),
    )
    async def settings(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> ExportFile:
        """What opens the destinations is not in it: an import leaves them out."""
        return await export_file(catalog, None)

    @post(
        "/export",
        operation_id="exportEverything",
        summary="All settings as one file, with the secrets under a passphrase",
        status_code=200,
        responses=problems(400),
    )
    async def everything(
        self,
        data: JSONBody[ExportRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> ExportFile:
        """The passphrase is kept nowhere: without it the secrets of the file are lost."""
        return await export_file(catalog, Secret(data.passphrase))

    @post(
        "/import",
        operation_id="importSettings",
        summary="Bring the settings of a file in, all that fits or nothing",
        status_code=200,
        request_max_body_size=MAX_FILE_BYTES,
        responses=problems(409, 422),
    )
    async def bring_in(
        self,
        data: JSONBody[ImportRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        dry_run: FromQuery[bool] = False,
        replace: FromQuery[bool] = False,
    ) -> ImportReport:
        """What is here and differs is a conflict and stays, unless `replace` is set.

        With `dry_run` nothing is changed, and the answer says what would be.
        """
        return await import_file(catalog, data, dry_run=dry_run, replace=replace)
