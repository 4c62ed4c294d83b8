"""Which limits a destination may have."""

import msgspec

from holdfast.catalog.domain.policy import checked_timezone
from holdfast.events.limits import Limits
from holdfast.kernel.errors import InvalidRequestError
from holdfast.schedule import InvalidWindowError, window_of

MOST_KIB = 2**31 // 1024
"""2 GiB a second: restic takes no more."""
MOST_WINDOWS = 24
PACK_SIZES = (4, 128)
"""MiB, restic's own bounds."""


def checked_limits(limits: Limits, default_zone: str) -> Limits:
    """*limits* with their zone; InvalidRequestError names the field that will not do."""
    zone = checked_timezone(limits.timezone, default_zone, "limits.timezone")
    _check_rates(limits.upload_kib, limits.download_kib, "limits")
    if len(limits.windows) > MOST_WINDOWS:
        raise InvalidRequestError(f"limits.windows: {MOST_WINDOWS} are the most.")
    for number, window in enumerate(limits.windows):
        field = f"limits.windows[{number}]"
        _check_rates(window.upload_kib, window.download_kib, field)
        try:
            window_of(window.start, window.end, zone)
        except InvalidWindowError as error:
            message = error.message.replace("window_start", "from").replace("window_end", "to")
            raise InvalidRequestError(f"{field}.{message}", guidance=error.hint) from error
    least, most = PACK_SIZES
    if limits.pack_size_mib and not least <= limits.pack_size_mib <= most:
        raise InvalidRequestError(
            f"limits.pack_size_mib: {limits.pack_size_mib} is not from {least} to {most}.",
            guidance="Leave it out, or set 0, for restic's own 16 MiB.",
        )
    return msgspec.structs.replace(limits, timezone=zone)


def _check_rates(upload: int, download: int, field: str) -> None:
    for name, rate in (("upload_kib", upload), ("download_kib", download)):
        if not 0 <= rate <= MOST_KIB:
            raise InvalidRequestError(
                f"{field}.{name}: {rate} is not from 0 (no limit) to {MOST_KIB}."
            )
