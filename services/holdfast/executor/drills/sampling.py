"""Which files of a snapshot are restored, when all of it would be too much.  Pure."""

import heapq
from hashlib import blake2b

from holdfast.restic.commands.ls import Node
from holdfast.restic.patterns import exact_pattern

MOST_FILES = 2000
MOST_PATTERN_BYTES = 256 * 1024
"""They go as arguments, of which a system takes about a megabyte."""


class Sample:
    """So many bytes of files, by a lot that is cast anew for each drill.

    Only the winners are kept: a snapshot may have millions of files.
    """

    def __init__(self, most_bytes: int, lot: str) -> None:
        self._most_bytes = most_bytes
        self._lot = lot
        self._kept: list[tuple[int, str, Node]] = []
        self._bytes = 0
        self._pattern_bytes = 0

    def offer(self, node: Node) -> None:
        """A file takes part; one that is larger than all that may be restored does not."""
        if node.type != "file" or node.size > self._most_bytes or not _can_be_named(node):
            return
        digest = blake2b(f"{self._lot}\0{node.path}".encode(), digest_size=8).digest()
        # The largest numbers go first when there are too many.
        heapq.heappush(self._kept, (-int.from_bytes(digest), node.path, node))
        self._bytes += node.size
        self._pattern_bytes += len(exact_pattern(node.path).encode())
        while self._is_too_much():
            _, _, out = heapq.heappop(self._kept)
            self._bytes -= out.size
            self._pattern_bytes -= len(exact_pattern(out.path).encode())

    def _is_too_much(self) -> bool:
        return (
            self._bytes > self._most_bytes
            or len(self._kept) > MOST_FILES
            or self._pattern_bytes > MOST_PATTERN_BYTES
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those that won, by path."""
        return tuple(sorted((node for _, _, node in self._kept), key=lambda each: each.path))


def _can_be_named(node: Node) -> bool:
    """restic tells a byte that is not UTF-8 as U+FFFD, by which it does not know it again."""
    return "\N{REPLACEMENT CHARACTER}" not in node.path
