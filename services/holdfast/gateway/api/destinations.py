"""Destinations: add, list, look at, change, test, remove."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation

from holdfast.events.queries import (
    GetDestination,
    HealDestination,
    ImportSnapshots,
    ListDestinations,
    RebuildFrom,
    RemoveDestination,
    RotatePassword,
    TestDestination,
    TestProtection,
)
from holdfast.events.views import DestinationView, RunAccepted, RunView
from holdfast.gateway.api.problems import problems
from holdfast.gateway.catalog_client import WAIT_SECONDS, CatalogClient
from holdfast.gateway.schemas.destinations import (
    DestinationList,
    DestinationPatch,
    LocalDestinationRequest,
    RemovedDestination,
    S3DestinationRequest,
    SftpDestinationRequest,
    TestOutcome,
    UndeleteRequest,
)
from holdfast.kernel.errors import InvalidRequestError
from holdfast.storage.bucket_policy import BucketPolicy, bucket_policy

PrincipalText = Annotated[
    str,
    QueryParameter(
        min_length=1,
        max_length=500,
        description="Whose the everyday key is, such as arn:aws:iam::123456789012:user/holdfast.",
    ),
]


class DestinationRoutes(Controller):
    """Places backups go."""

    path = "/backup/destinations"
    tags = ("Destinations",)

    @post(
        "/local",
        operation_id="addLocalDestination",
        summary="Add a path on a device, and make or adopt its repository",
        responses=problems(404, 409, 422, 504),
    )
    async def add_local(
        self,
        data: JSONBody[LocalDestinationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Answers when the destination is ready, which takes seconds, or failed."""
        return await catalog.add_destination(data)

    @post(
        "/s3",
        operation_id="addS3Destination",
        summary="Add a bucket, and make or adopt its repository",
        responses=problems(409, 422, 504),
    )
    async def add_s3(
        self,
        data: JSONBody[S3DestinationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Answers when the destination is ready, which takes seconds, or failed."""
        return await catalog.add_destination(data)

    @post(
        "/sftp",
        operation_id="addSftpDestination",
        summary="Add a directory of an SFTP server, and make or adopt its repository",
        responses=problems(409, 422, 504),
    )
    async def add_sftp(
        self,
        data: JSONBody[SftpDestinationRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Answers when it is ready, or failed; `sftp_host_key_fingerprint` is the pinned key's.

        Compare it with what `ssh-keygen -lf` says on the server.
        """
        return await catalog.add_destination(data)

    @get(
        "/",
        operation_id="listDestinations",
        summary="List all destinations by name",
        responses=problems(),
    )
    async def all(self, catalog: NamedDependency[SkipValidation[CatalogClient]]) -> DestinationList:
        """Without their secrets."""
        return DestinationList(destinations=await catalog.ask(ListDestinations()))

    @get(
        "/{destination_id:uuid}",
        operation_id="getDestination",
        summary="Look at one destination",
        responses=problems(404),
    )
    async def one(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Without its secrets."""
        return await catalog.ask(GetDestination(destination_id=destination_id))

    @patch(
        "/{destination_id:uuid}",
        operation_id="updateDestination",
        summary="Change a destination; what is absent stays",
        responses=problems(404, 409, 422, 504),
    )
    async def change(
        self,
        destination_id: FromPath[UUID],
        data: JSONBody[DestinationPatch],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> DestinationView:
        """Credentials are tried against the real place first; if that fails the old ones stay."""
        return await catalog.change_destination(destination_id, data)

    @delete(
        "/{destination_id:uuid}",
        operation_id="removeDestination",
        summary="Take a destination out of use; its data stays where it is",
        status_code=200,
        responses=problems(404, 409),
    )
    async def remove(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        detach: FromQuery[bool] = False,
    ) -> RemovedDestination:
        """A conflict while policies use it, unless `detach` takes it out of them.

        Holdfast deletes no repository; the answer says where it stays.
        """
        view = await catalog.ask(GetDestination(destination_id=destination_id))
        await catalog.ask(RemoveDestination(destination_id=destination_id, detach=detach))
        return RemovedDestination.of(view)

    @post(
        "/{destination_id:uuid}/import",
        operation_id="importSnapshots",
        summary="Look which snapshots are in a destination's repository",
        status_code=202,
        responses=problems(404),
    )
    async def import_snapshots(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunAccepted:
        """Those that are not on record are listed once the run has ended.

        Adopting a repository does it by itself.
        """
        return await catalog.ask(ImportSnapshots(destination_id=destination_id))

    @post(
        "/{destination_id:uuid}/rebuild",
        operation_id="rebuildFromDestination",
        summary="Bring settings and history back from what a repository carries",
        status_code=202,
        responses=problems(404),
    )
    async def rebuild(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunAccepted:
        """The run looks for the settings; a second one, queued at its end, brings the snapshots.

        What is here and differs stays as it is.
        """
        return await catalog.ask(RebuildFrom(destination_id=destination_id))

    @post(
        "/{destination_id:uuid}/test",
        operation_id="testDestination",
        summary="Test whether a destination can be reached and its repository opened",
        status_code=200,
        responses=problems(404),
    )
    async def test(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> TestOutcome:
        """Answers with `success` false, not with an error, when it cannot."""
        accepted = await catalog.ask(TestDestination(destination_id=destination_id))
        return TestOutcome.of(await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS))

    @post(
        "/{destination_id:uuid}/rotate-password",
        operation_id="rotateRepositoryPassword",
        summary="Give the repository a new password",
        status_code=202,
        responses=problems(404, 409),
    )
    async def rotate_password(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunAccepted:
        """Or finish a change that broke off. The recovery kit is to be made anew after it."""
        return await catalog.ask(RotatePassword(destination_id=destination_id))

    @post(
        "/{destination_id:uuid}/undelete",
        operation_id="undeleteDestination",
        summary="Bring back what was deleted or overwritten in a bucket that keeps versions",
        status_code=202,
        responses=problems(400, 404),
    )
    async def undelete(
        self,
        destination_id: FromPath[UUID],
        data: JSONBody[UndeleteRequest],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunAccepted:
        """Answers with the run that does it; it has the repository for itself."""
        return await catalog.ask(data.query(destination_id))

    @get(
        "/{destination_id:uuid}/bucket-policy",
        operation_id="getBucketPolicy",
        summary="Make the bucket policy that keeps the everyday key from deleting",
        responses=problems(400, 404),
    )
    async def policy(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
        principal: PrincipalText,
    ) -> BucketPolicy:
        """For you to put on the bucket; Holdfast does not change it."""
        view = await catalog.ask(GetDestination(destination_id=destination_id))
        if view.s3_bucket is None:
            raise InvalidRequestError(f"{view.name} is no S3 bucket.")
        return bucket_policy(view.s3_bucket, view.s3_prefix or "", principal)

    @post(
        "/{destination_id:uuid}/heal",
        operation_id="healDestination",
        summary="Repair a destination's repository with what other destinations have",
        status_code=202,
        responses=problems(404),
    )
    async def heal(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunAccepted:
        """Answers at once; the run tells what was repaired, and what could not be."""
        return await catalog.ask(HealDestination(destination_id=destination_id))

    @post(
        "/{destination_id:uuid}/protection-test",
        operation_id="testProtection",
        summary="Attack a canary at the destination with what a backup has",
        status_code=200,
        responses=problems(404),
    )
    async def test_protection(
        self,
        destination_id: FromPath[UUID],
        catalog: NamedDependency[SkipValidation[CatalogClient]],
    ) -> RunView:
        """The run, once it has ended or as it stands after two minutes.

        Its `result` says of each attack whether it was refused. Real data is not touched.
        """
        accepted = await catalog.ask(TestProtection(destination_id=destination_id))
        return await catalog.wait_for_run(accepted.run_id, WAIT_SECONDS)
