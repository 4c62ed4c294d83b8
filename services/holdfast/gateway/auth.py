"""Bearer tokens: whose request it is, asked of the catalog and remembered for seconds."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from holdfast.events.queries import Principal, VerifyToken
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.kernel.errors import UnauthorizedError
from holdfast.secretbox.tokens import token_hash

REMEMBER_SECONDS = 10.0
"""How long a token that was withdrawn may still work."""

MAX_TOKEN_LENGTH = 512


class TokenVerifier:
    """Asks the catalog by the token's SHA-256; only good answers are remembered.

    The work for a good and a bad token is the same up to the catalog's answer: one
    hash, one look-up by the hash.  The token itself is kept nowhere.
    """

    def __init__(self, catalog: CatalogClient, monotonic: Callable[[], float]) -> None:
        self._catalog = catalog
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[Principal, float]] = {}

    async def verify(self, authorization: str) -> Principal:
        """Whose token an Authorization header holds.

        Raises UnauthorizedError, or UnavailableError when the catalog is away.
        """
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_LENGTH:
            raise UnauthorizedError
        hashed = token_hash(token)
        principal, until = self._known.get(hashed, (None, 0.0))
        if principal is not None and self._monotonic() < until:
            return principal
        self._known.pop(hashed, None)
        principal = await self._catalog.ask(VerifyToken(token_hash=hashed))
        self._remember(hashed, principal)
        return principal

    def _remember(self, hashed: bytes, principal: Principal) -> None:
        now = self._monotonic()
        for other, (_, until) in tuple(self._known.items()):
            if until <= now:
                del self._known[other]
        self._known[hashed] = (principal, now + REMEMBER_SECONDS)


def token_guard(verifier: Callable[[], TokenVerifier]) -> Guard:
    """Lets a request pass that has a known token; the others get UnauthorizedError."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        await verifier().verify(connection.headers.get("authorization", ""))

    return guard
