"""What every question is."""

from typing import Any, ClassVar, Generic, TypeVar

import msgspec

Reply = TypeVar("Reply")


class Query(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question; ``SUBJECT`` is where it goes, ``REPLY`` what comes back."""

    SUBJECT: ClassVar[str]
    REPLY: ClassVar[Any]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is done; there is nothing to show."""
