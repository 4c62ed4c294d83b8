"""Which rates hold at a destination now.  Pure."""

from datetime import datetime

from holdfast.events.limits import Limits
from holdfast.schedule import window_of


def rates_at(limits: Limits, at: datetime) -> tuple[int, int]:
    """Upload and download in KiB a second, 0 for none: of the first window that holds *at*."""
    for each in limits.windows:
        window = window_of(each.start, each.end, limits.timezone)
        if window is not None and window.holds(at):
            return each.upload_kib, each.download_kib
    return limits.upload_kib, limits.download_kib
