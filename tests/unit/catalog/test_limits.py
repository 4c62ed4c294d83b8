"""Which limits may be set, and what a person is told of one that may not."""

import pytest

from holdfast.catalog.domain.limits import checked_limits
from holdfast.events.limits import Compression, Limits, RateWindow
from holdfast.kernel.errors import InvalidRequestError


def test_limits_keep_what_was_set_and_get_a_zone() -> None:
    limits = Limits(
        upload_kib=500,
        windows=(RateWindow(start="22:00", end="06:00", upload_kib=0),),
        compression=Compression.MAX,
        pack_size_mib=64,
    )

    checked = checked_limits(limits, "Europe/Berlin")

    assert checked.timezone == "Europe/Berlin"
    assert (checked.upload_kib, checked.windows) == (limits.upload_kib, limits.windows)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Limits(upload_kib=-1), "limits.upload_kib"),
        (Limits(download_kib=2**40), "limits.download_kib"),
        (Limits(pack_size_mib=3), "limits.pack_size_mib"),
        (Limits(pack_size_mib=129), "limits.pack_size_mib"),
        (Limits(timezone="Mars/Olympus"), "limits.timezone"),
        (Limits(windows=(RateWindow(start="25:00", end="06:00"),)), "limits.windows[0].from"),
        (Limits(windows=(RateWindow(start="06:00", end="06:00"),)), "limits.windows[0].to"),
        (
            Limits(
                windows=(
                    RateWindow(start="06:00", end="07:00"),
                    RateWindow(start="07:00", end="08:00", upload_kib=-5),
                )
            ),
            "limits.windows[1].upload_kib",
        ),
        (Limits(windows=(RateWindow(start="06:00", end="07:00"),) * 25), "limits.windows"),
    ],
)
def test_what_will_not_do_is_named(limits: Limits, named: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        checked_limits(limits, "UTC")

    assert raised.value.message.startswith(f"{named}:")
