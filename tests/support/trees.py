"""Trees of files to back up, and what they are to the byte."""

import os
import random
from pathlib import Path

from holdfast.cli.manifest import Entry, differences, manifest

__all__ = ["Entry", "differences", "make_tree", "manifest", "pour"]


def make_tree(root: Path, seed: int = 1) -> Path:
    """A small tree with everything that tends to go wrong: names, modes, links, sparse, empty."""
    dice = random.Random(seed)
    (root / "sub dir" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    for number in range(12):
        (root / "sub dir" / f"file {number}.bin").write_bytes(
            dice.randbytes(dice.randrange(40_000))
        )
    (root / "new\nline").write_text("odd name")
    (root / "[glob]*?").write_text("literal")
    (root / "ünïcode").write_text("ok")
    with open(os.fsencode(root) + b"/not-utf8-\xff", "wb") as file:
        file.write(b"bytes")
    (root / "script.sh").write_text("#!/bin/sh\n")
    (root / "script.sh").chmod(0o750)
    (root / "secret").write_text("hidden")
    (root / "secret").chmod(0o600)
    (root / "link").symlink_to("sub dir/file 1.bin")
    (root / "dangling").symlink_to("nowhere")
    os.link(root / "secret", root / "sub dir" / "hard link")
    with (root / "sparse").open("wb") as file:
        file.truncate(3_000_000)
        file.seek(1_500_000)
        file.write(b"island")
    os.utime(root / "secret", ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    os.utime(root / "empty", ns=(1_600_000_000_000_000_000, 1_400_000_000_000_000_001))
    return root


def pour(root: Path, megabytes: int, seed: int = 1) -> Path:
    """So much data that does not compress, in files of 4 MiB: enough work to interrupt."""
    root.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)
    for number in range(megabytes // 4):
        (root / f"block-{number}").write_bytes(dice.randbytes(4 * 1024 * 1024))
    return root
