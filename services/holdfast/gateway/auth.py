"""Bearer tokens: whose request it is, asked of the catalog and remembered for seconds."""

import hashlib
from collections.abc import Callable

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from holdfast.events.queries import Principal, VerifyToken
from holdfast.gateway.catalog_client import CatalogClient
from holdfast.kernel.errors import UnauthorizedError

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
        token_hash = hashlib.sha256(token.encode()).digest()
        principal, until = self._known.get(token_hash, (None, 0.0))
        if principal is not None and self._monotonic() < until:
            return principal
        self._known.pop(token_hash, None)
        principal = await self._catalog.ask(VerifyToken(token_hash=token_hash))
        self._remember(token_hash, principal)
        return principal

    def _remember(self, token_hash: bytes, principal: Principal) -> None:
        now = self._monotonic()
        for other, (_, until) in tuple(self._known.items()):
            if until <= now:
                del self._known[other]
        self._known[token_hash] = (principal, now + REMEMBER_SECONDS)


async def require_token(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]  # the guard's signature in Litestar
    """Let a request pass that has a known token.  Raises UnauthorizedError."""
    tokens: TokenVerifier = connection.app.state.tokens
    await tokens.verify(connection.headers.get("authorization", ""))
