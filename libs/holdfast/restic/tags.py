"""The tags by which a snapshot in restic is known to be ours, and whose."""

from collections.abc import Iterable

import msgspec

from holdfast.kernel.errors import InvalidRequestError

MANIFEST = "holdfast:manifest"
"""Of a snapshot that holds settings, and is no app's."""

DUMP = "holdfast:dump"
"""Of a database's dump, beside the snapshot of its app's files."""

KEYS = ("app", "configuration", "run", "instance")


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """Whose snapshot it is.  Ids are as text; an empty one is not in the tags."""

    app: str = ""
    configuration: str = ""
    run: str = ""
    instance: str = ""


def dump_tag(run_tag: str) -> str:
    """Of the dumps of the run with that tag; not the tag itself, which its own snapshot has."""
    return f"dump-of-{run_tag}"


def make_tags(tags: Tags) -> tuple[str, ...]:
    """``app:<id>`` and so on, in a fixed order.

    Raises InvalidRequestError for an id that restic would take apart.
    """
    return tuple(f"{key}:{valid_tag(value)}" for key in KEYS if (value := str(getattr(tags, key))))


def parse_tags(texts: Iterable[str]) -> Tags:
    """What *texts* say; tags of others are passed over, and the first of a kind counts."""
    found: dict[str, str] = {}
    for text in texts:
        key, colon, value = text.partition(":")
        if colon and value and key in KEYS:
            found.setdefault(key, value)
    return Tags(**found)


def valid_tag(text: str) -> str:
    """*text* if it can be one tag: restic splits at commas and strips spaces."""
    if not text or "," in text or text != text.strip():
        raise InvalidRequestError(f"{text!r} cannot be a tag: it is empty or has commas or spaces.")
    return text
