"""Ids: new ones sort by time, derived ones are the same on every redelivery."""

import os
import time
from uuid import UUID, uuid5

NAMESPACE = UUID("6f1f6d0e-6a0b-4b5e-9d8c-2b1a7c7f0d11")


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def derived_id(*parts: object) -> UUID:
    """The id that belongs to *parts*: equal parts give equal ids, in any process."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))
