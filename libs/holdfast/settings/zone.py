"""Which time zone this machine lives in."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def machine_timezone() -> str:
    """The machine's IANA zone: TZ, /etc/timezone or the link /etc/localtime; else UTC."""
    for name in _candidates():
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        return name
    return "UTC"


def _candidates() -> list[str]:
    found = [os.environ.get("TZ", "").lstrip(":")]
    try:
        found.append(Path("/etc/timezone").read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        found.append("")
    target = os.path.realpath("/etc/localtime")
    found.append(target.partition("/zoneinfo/")[2])
    return [name for name in found if name]
