"""A destination's limits, as a person writes them."""

from typing import Annotated

import msgspec

from holdfast.events.limits import Compression, Limits, RateWindow
from holdfast.gateway.schemas.text import ClockText, Request, ZoneName

Rate = Annotated[int, msgspec.Meta(ge=0, le=2_097_152, description="KiB a second; 0 for no limit.")]
PackSize = Annotated[
    int, msgspec.Meta(ge=0, le=128, description="MiB, from 4 to 128; 0 for restic's own 16.")
]


class RateWindowRequest(Request, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Other rates from one time of the day to another; an end before the start is next day's."""

    start: ClockText
    end: ClockText
    upload_kib: Rate = 0
    download_kib: Rate = 0


class LimitsRequest(Request, frozen=True, kw_only=True):
    """What restic is held to.  The rates that hold when it begins hold until it is done."""

    upload_kib: Rate = 0
    download_kib: Rate = 0
    windows: Annotated[tuple[RateWindowRequest, ...], msgspec.Meta(max_length=24)] = ()
    """Where two overlap, the first counts."""
    timezone: ZoneName = ""
    compression: Compression = Compression.AUTO
    pack_size_mib: PackSize = 0

    def limits(self) -> Limits:
        """The same for the catalog."""
        return Limits(
            upload_kib=self.upload_kib,
            download_kib=self.download_kib,
            windows=tuple(RateWindow(**msgspec.structs.asdict(each)) for each in self.windows),
            timezone=self.timezone,
            compression=self.compression,
            pack_size_mib=self.pack_size_mib,
        )


UNLIMITED = LimitsRequest()
