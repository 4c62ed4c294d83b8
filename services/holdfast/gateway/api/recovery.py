"""The recovery kit: a page to print, for the day when Holdfast is gone."""

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody, SkipValidation

from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.gateway.kit.making import KitFormat, make_kit
from holdfast.gateway.schemas.recovery import RecoveryKitRequest
from holdfast.kernel.secret import Secret

MEDIA = {KitFormat.HTML: "text/html; charset=utf-8", KitFormat.JSON: "application/json"}

ANSWERS = {
    **problems(),
    200: ResponseSpec(
        data_container=str,
        generate_examples=False,
        description="The kit as a file.",
        media_type="text/html",
    ),
}


class RecoveryRoutes(Controller):
    """All that opens the repositories, to be kept on paper."""

    path = "/backup/recovery-kit"
    tags = ("Recovery",)

    @get(
        "/",
        operation_id="getRecoveryKit",
        summary="Make the recovery kit",
        responses=ANSWERS,
    )
    async def plain(
        self,
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        format: FromQuery[KitFormat] = KitFormat.HTML,
    ) -> Response[bytes]:
        """Every repository's password in plain text: not for a browser whose cache is shared."""
        return await _answer(catalog, format, None)

    @post(
        "/",
        operation_id="makeRecoveryKit",
        summary="Make the recovery kit, if wanted under a passphrase",
        status_code=200,
        responses=ANSWERS,
    )
    async def sealed(
        self,
        data: JSONBody[RecoveryKitRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> Response[bytes]:
        """With a passphrase the HTML page asks for it and opens in any browser, without network."""
        return await _answer(catalog, data.format, data.secret())


async def _answer(
    catalog: CatalogClient, format_: KitFormat, passphrase: Secret | None
) -> Response[bytes]:
    return Response(
        await make_kit(catalog, format_, passphrase),
        media_type=MEDIA[format_],
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="holdfast-recovery-kit.{format_.value}"',
        },
    )
