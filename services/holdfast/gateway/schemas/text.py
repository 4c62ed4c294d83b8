"""Kinds of text that a request may hold.

None may hold a NUL, which Postgres cannot store and no path has.  The end of a pattern is
written ``(?![\\s\\S])``: Python's ``$`` would let a last line feed through, and JSON Schema
has no ``\\Z``.
"""

from typing import Annotated

import msgspec

_END = r"(?![\s\S])"
_NO_NUL = rf"^[^\x00]*{_END}"
_ONE_LINE = rf"^[^\x00-\x1f\x7f]+{_END}"
_WORD = rf"^[^\x00-\x20\x7f]+{_END}"
_OPTIONAL_WORD = rf"^[^\x00-\x20\x7f]*{_END}"
_ABSOLUTE = rf"^/[^\x00]*{_END}"
_PATH = rf"^[^\x00]+{_END}"
_CLOCK = rf"^([01][0-9]|2[0-3]):[0-5][0-9]{_END}"

IN_WORDS = {
    _NO_NUL: "Holds a NUL character",
    _ONE_LINE: "Must be one line of text without control characters, and not empty",
    _WORD: "Must be text without spaces or control characters, and not empty",
    _OPTIONAL_WORD: "Must be text without spaces or control characters",
    _ABSOLUTE: "Must be an absolute path, beginning with a slash",
    _PATH: "Must be a path, not empty",
    _CLOCK: "Must be a time of the day such as 22:00",
}
"""What a person is told when a pattern does not match."""

Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=100, pattern=_ONE_LINE, description="A name to show; one line."
    ),
]
Text = Annotated[str, msgspec.Meta(max_length=2000, pattern=_NO_NUL)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_WORD)]
OptionalWord = Annotated[str, msgspec.Meta(max_length=255, pattern=_OPTIONAL_WORD)]
AbsolutePath = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=4096, pattern=_ABSOLUTE, description="An absolute path."),
]
AnyPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=_PATH)]
SecretText = Annotated[
    str, msgspec.Meta(min_length=1, max_length=1024, pattern=_NO_NUL, description="A secret.")
]
KeyText = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=16_384, pattern=_NO_NUL, description="A private key, whole."
    ),
]
Certificates = Annotated[
    str,
    msgspec.Meta(max_length=65_536, pattern=_NO_NUL, description="Certificates in PEM form."),
]
HostKey = Annotated[
    str,
    msgspec.Meta(
        max_length=4096,
        pattern=_NO_NUL,
        description="An OpenSSH public key, or the SHA256 fingerprint of one.",
        examples=["SHA256:uUwBlhjSRB9baoYpqzAzmPX68OPPMfUYEDw10qL/MBE"],
    ),
]
CronText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=200,
        pattern=_ONE_LINE,
        description="A cron expression of five fields.",
        examples=["0 2 * * *"],
    ),
]
ZoneName = Annotated[
    str,
    msgspec.Meta(
        max_length=64,
        pattern=_OPTIONAL_WORD,
        description="An IANA time zone; empty: the instance's own.",
        examples=["Europe/Berlin"],
    ),
]
ClockText = Annotated[
    str,
    msgspec.Meta(
        pattern=_CLOCK,
        description="A time of the day in the policy's zone.",
        examples=["22:00"],
    ),
]
Jitter = Annotated[
    int, msgspec.Meta(ge=0, le=86_400, description="Seconds over which starts are spread.")
]
Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body; a field that is not known is refused, so that no typing error passes."""
