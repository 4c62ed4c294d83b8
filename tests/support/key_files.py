"""The key files of a repository in a directory, as the driver wants to see them."""

from collections.abc import Sequence
from pathlib import Path


class Folder:
    """``keys/`` of the repository at *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root / "keys"

    async def names(self) -> Sequence[str]:
        return sorted(path.name for path in self.root.iterdir())

    async def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    async def write(self, name: str, content: bytes) -> None:
        (self.root / name).write_bytes(content)
