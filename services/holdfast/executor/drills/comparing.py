"""Is what was restored what the snapshot lists?  Pure, and of a million files in 100 MB.

restic has read every restored byte again by then (``--verify``) and compared it with its hash
in the snapshot.  This looks at the rest, and takes nobody's word for it: that everything is
there, that nothing else is, and of each its type, size, mode, owner, and time.
"""

import re
from collections.abc import AsyncIterator, Iterable
from hashlib import blake2b

import msgspec

from holdfast.restic.commands.ls import Node

MOST_TOLD = 20
"""So many differences are told in words; the rest is counted."""

MOST_KEPT = 10_000
"""So many of what was found and not asked for are remembered, to say what is different of it."""

UNKNOWN = re.compile("\N{REPLACEMENT CHARACTER}+")
"""restic and Python do not put the same number of these in the place of what is not UTF-8."""

KINDS = {
    0x4000: "dir",
    0x8000: "file",
    0xA000: "symlink",
    0x1000: "fifo",
    0x6000: "dev",
    0x2000: "chardev",
    0xC000: "socket",
}

NEVER_RESTORED = frozenset(("socket", "irregular"))
"""restic lists them and leaves them out."""

SPECIAL_BITS = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))
"""restic's own bits for set-user-id, set-group-id and sticky, as Go has them."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file or folder, from either side."""

    path: str
    """From the root of the snapshot, or of the scratch directory."""
    kind: str
    size: int
    """Of a file; of all else 0."""
    mode: int
    """With the special bits; of a link 0, which has none of its own."""
    owner: str
    """``uid:gid``; empty where files cannot be given away."""
    seconds: int

    @property
    def mark(self) -> int:
        """64 bits that are the same for the same, and for nothing else in practice."""
        text = f"{self.told}\0{self.path}".encode(errors="surrogateescape")
        return int.from_bytes(blake2b(text, digest_size=8).digest())

    @property
    def told(self) -> str:
        """All but the path, for a person."""
        size = f" of {self.size} bytes" if self.kind == "file" else ""
        owner = f", owner {self.owner}" if self.owner else ""
        return f"{self.kind}{size}, mode {self.mode:o}{owner}, time {self.seconds}"


def listed(node: Node, *, owners: bool) -> Seen | None:
    """What the snapshot says; None: restic restores nothing of it."""
    if node.type in NEVER_RESTORED:
        return None
    special = sum(bit for go, bit in SPECIAL_BITS if node.mode & go)
    return Seen(
        path=UNKNOWN.sub("\N{REPLACEMENT CHARACTER}", node.path),
        kind=node.type,
        size=node.size if node.type == "file" else 0,
        mode=0 if node.type == "symlink" else (node.mode & 0o777) | special,
        owner=f"{node.uid}:{node.gid}" if owners else "",
        seconds=0 if node.mtime is None else int(node.mtime.timestamp() // 1),
    )


async def seen_in(lines: AsyncIterator[bytes], word: str) -> AsyncIterator[Seen]:
    """What the script of the scratch directory lists.

    A name may have line breaks, so a line is a new one only when it begins with *word*.
    """
    start = word.encode() + b" "
    held = b""
    async for line in lines:
        if line.startswith(start):
            if held:
                yield _seen(held)
            held = line.removeprefix(start)
        else:
            held += b"\n" + line
    if held:
        yield _seen(held)


def _seen(line: bytes) -> Seen:
    bits, size, user, group, seconds, name = line.split(b" ", 5)
    mode = int(bits, 16)
    kind = KINDS.get(mode & 0xF000, "irregular")
    path = UNKNOWN.sub("\N{REPLACEMENT CHARACTER}", name[1:].decode(errors="replace"))
    return Seen(
        path=path,
        kind=kind,
        size=int(size) if kind == "file" else 0,
        mode=0 if kind == "symlink" else mode & 0o7777,
        owner=f"{int(user)}:{int(group)}",
        seconds=int(seconds),
    )


class Comparison:
    """First what is to be there, then what is."""

    def __init__(self, *, owners: bool, only_files: bool = False) -> None:
        """*owners*: they count; *only_files*: a folder counts on neither side."""
        self.owners = owners
        self._only_files = only_files
        self._wanted: set[int] = set()
        self._others: dict[str, str] = {}
        self.files = 0
        self.bytes = 0
        self._unasked = 0

    def expect(self, node: Node) -> None:
        """One of the snapshot that was to be restored."""
        wanted = listed(node, owners=self.owners)
        if wanted is None or (self._only_files and wanted.kind == "dir"):
            return
        self._wanted.add(wanted.mark)
        if wanted.kind != "dir":
            self.files += 1
            self.bytes += wanted.size

    def see(self, seen: Seen) -> None:
        """One that is there."""
        if self._only_files and seen.kind == "dir":
            return
        if not self.owners:
            seen = msgspec.structs.replace(seen, owner="")
        mark = seen.mark
        if mark in self._wanted:
            self._wanted.remove(mark)
            return
        self._unasked += 1
        if len(self._others) < MOST_KEPT:
            self._others[seen.path] = seen.told

    @property
    def is_same(self) -> bool:
        """Whether all was seen, and nothing else."""
        return not self._wanted and not self._unasked

    @property
    def count(self) -> int:
        """How many are not as they were, or are not there, or should not be."""
        return max(len(self._wanted), self._unasked)

    def differences(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """The first of them in words.  *nodes*: those of ``missing``."""
        told = []
        others = dict(self._others)
        for node in nodes:
            wanted = listed(node, owners=self.owners)
            if wanted is None:
                continue
            there = others.pop(wanted.path, None)
            absent = "it is not there" if self._unasked <= MOST_KEPT else "absent, or different"
            what = absent if there is None else f"it is a {there}"
            told.append(f"{wanted.path}: {what}, and should be a {wanted.told}")
        told += [
            f"{path}: it is there, a {what}, and not so in the snapshot"
            for path, what in others.items()
        ]
        return tuple(told[:MOST_TOLD])

    def is_missing(self, node: Node) -> bool:
        """Whether *node* was to be there and was not seen."""
        wanted = listed(node, owners=self.owners)
        return wanted is not None and wanted.mark in self._wanted
