"""How a destination may be used: rates, by the time of day too, and how data is packed."""

from enum import StrEnum

import msgspec


class Compression(StrEnum):
    """How hard restic compresses: its own words."""

    OFF = "off"
    """For media, which does not compress."""
    AUTO = "auto"
    FASTEST = "fastest"
    BETTER = "better"
    MAX = "max"


class RateWindow(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Other rates for a part of the day."""

    start: str
    """HH:MM in the destination's zone …"""
    end: str
    """… up to, not including, this; an end before the start is on the next day."""
    upload_kib: int = 0
    """KiB a second; 0 for none."""
    download_kib: int = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What restic is held to at a destination.

    The rates that hold when a run begins hold to its end: restic cannot change them, and a
    run that were broken off at each border of a window might never end.
    """

    upload_kib: int = 0
    """KiB a second outside of the windows; 0 for none."""
    download_kib: int = 0
    windows: tuple[RateWindow, ...] = ()
    """The first one that holds counts."""
    timezone: str = ""
    """IANA zone of the windows; empty: the instance's own when it was set."""
    compression: Compression = Compression.AUTO
    pack_size_mib: int = 0
    """Of the files in the repository; 0: restic's own, 16."""


NO_LIMITS = Limits()
