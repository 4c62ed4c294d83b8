"""Who asks, who answers, and how the instance stands."""

from uuid import UUID

import msgspec

from holdfast.events import views
from holdfast.events.queries.base import Query


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the catalog is."""

    instance_id: UUID
    public_key: bytes
    """Secrets for the catalog are sealed to it before they go on the bus."""


class GetIdentity(Query[Identity], frozen=True, kw_only=True):
    """Ask for the catalog's name and public key."""

    SUBJECT = "catalog.identity"
    REPLY = Identity


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token it is."""

    name: str


class VerifyToken(Query[Principal], frozen=True, kw_only=True):
    """Ask whose token hashes to this; ``UnauthorizedError`` if nobody's."""

    SUBJECT = "catalog.token.verify"
    REPLY = Principal

    token_hash: bytes


class GetStatus(Query[views.StatusView], frozen=True, kw_only=True):
    """The whole house at a glance."""

    SUBJECT = "catalog.status"
    REPLY = views.StatusView
