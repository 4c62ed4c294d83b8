"""``restic cat config``: what a repository is; also the cheapest way to see that it opens."""

import msgspec

from holdfast.restic.process import Restic, decode


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The repository's own settings, under restic's names."""

    id: str
    version: int
    chunker_polynomial: str = ""
    """Equal in two repositories that cut equal content into equal blobs."""


def argv() -> tuple[str, ...]:
    """restic's arguments."""
    return ("cat", "--no-lock", "config")


async def run(restic: Restic) -> Config:
    """The settings.  Raises RepositoryNotFoundError or WrongPasswordError."""
    finished = await restic.run(argv())
    return decode(finished.stdout, Config)
