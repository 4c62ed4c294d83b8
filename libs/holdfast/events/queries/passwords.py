"""Changing a repository's password."""

from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.queries.base import Query


class RotatePassword(Query[views.RunAccepted], frozen=True, kw_only=True):
    """Queue the run that changes a repository's password, or finishes a change that broke off."""

    SUBJECT = "catalog.destination.rotate_password"
    REPLY = views.RunAccepted

    destination_id: UUID


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the run was the executor's to go on with."""

    held: bool


class SwitchPassword(Query[Switched], frozen=True, kw_only=True):
    """The new password opens the repository: it is the stored one from now on.

    Told twice it is the same.  The old password is kept until the run has removed its keys.
    """

    SUBJECT = "catalog.run.switch_password"
    REPLY = Switched

    run_id: UUID
    claim: int
