"""What every view is."""

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A read-only picture of a row."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next page starts; None at the end."""

    next_cursor: str | None = None
