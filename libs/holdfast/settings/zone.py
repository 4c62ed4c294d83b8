"""Which time zone this machine lives in."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def machine_timezone() -> str:
    """The machine's IANA zone: TZ, /etc/timezone or the link /etc/localtime; else UTC."""
    return next(filter(is_zone, _candidates()), "UTC")


def is_zone(name: str) -> bool:
    """Whether *name* is an IANA zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _candidates() -> list[str]:
    found = [os.environ.get("TZ", "").lstrip(":")]
    try:
        found.append(Path("/etc/timezone").read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        found.append("")
    target = os.path.realpath("/etc/localtime")
    found.append(target.partition("/zoneinfo/")[2])
    return [name for name in found if name]
