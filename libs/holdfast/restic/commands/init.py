"""``restic init``: make a repository."""

import msgspec

from holdfast.restic.environment import from_repository
from holdfast.restic.process import Restic, decode
from holdfast.restic.repository import Repository


class InitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to make it."""

    chunker_of: Repository | None = None
    """Cut files as this repository does, so that equal content has equal ids in both."""


DEFAULT = InitOptions()


class InitResult(msgspec.Struct, frozen=True, kw_only=True):
    """A new repository."""

    id: str


def argv(options: InitOptions) -> tuple[str, ...]:
    """restic's arguments."""
    return ("init",) if options.chunker_of is None else ("init", "--copy-chunker-params")


async def run(restic: Restic, options: InitOptions = DEFAULT) -> InitResult:
    """Make the repository.  Raises RepositoryExistsError when there is one already."""
    if options.chunker_of is None:
        finished = await restic.run(argv(options))
    else:
        environment, secrets = from_repository(options.chunker_of, restic.repository)
        finished = await restic.run(argv(options), environment=environment, secrets=secrets)
    return decode(finished.stdout, InitResult)
