"""A storage's key files, as ``holdfast.restic.keyfile`` wants them."""

import re
from collections.abc import Sequence

from holdfast.storage.base import Backend


class KeysOf:
    """The key files of one repository."""

    def __init__(self, storage: Backend) -> None:
        self._storage = storage

    async def names(self) -> Sequence[str]:
        # What else may be there is a key that was being written when somebody died.
        names = await self._storage.list_keys()
        return [name for name in names if re.fullmatch(r"[0-9a-f]{64}", name)]

    async def sweep(self) -> None:
        """Remove what somebody who died had begun to write: it may open the repository too.

        The caller has the repository for itself.
        """
        for name in await self._storage.list_keys():
            if re.fullmatch(r"\.[0-9a-f]{64}\.part", name):
                await self._storage.delete_key(name)

    async def read(self, name: str) -> bytes:
        return await self._storage.read_key(name)

    async def write(self, name: str, content: bytes) -> None:
        await self._storage.write_key(name, content)
