"""Who the catalog is, and who is asking."""

from holdfast.catalog.deps import Deps
from holdfast.catalog.store import tokens
from holdfast.catalog.store.pool import reading
from holdfast.events.queries import GetIdentity, Identity, Principal, VerifyToken
from holdfast.kernel.errors import UnauthorizedError


async def answer_get_identity(_query: GetIdentity, deps: Deps) -> Identity:
    """The instance's id, and the key that secrets for it are sealed to."""
    return Identity(instance_id=deps.instance_id, public_key=deps.secrets.public_key)


async def answer_verify_token(query: VerifyToken, deps: Deps) -> Principal:
    """Whose token it is; UnauthorizedError if nobody's."""
    async with reading(deps.pool) as connection:
        name = await tokens.name_of(connection, query.token_hash)
    if name is None:
        raise UnauthorizedError
    return Principal(name=name)
