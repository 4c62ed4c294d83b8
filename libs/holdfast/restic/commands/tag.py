"""``restic tag``: change the tags of snapshots.  Each gets a new id by it."""

import msgspec

from holdfast.kernel.errors import InvalidRequestError
from holdfast.restic.process import Restic
from holdfast.restic.tags import valid_tag


class TagOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to add and remove, in snapshots by their ids."""

    snapshot_ids: tuple[str, ...]
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class TagResult(msgspec.Struct, frozen=True, kw_only=True):
    """Old id to new id of the snapshots that changed."""

    changed: dict[str, str]


class _Changed(msgspec.Struct, frozen=True, kw_only=True):
    message_type: str = ""
    old_snapshot_id: str = ""
    new_snapshot_id: str = ""


def argv(options: TagOptions) -> tuple[str, ...]:
    """restic's arguments.  Raises InvalidRequestError without ids: that would mean all."""
    if not options.snapshot_ids:
        raise InvalidRequestError("Changing tags needs the ids of snapshots.")
    argv = ["tag"]
    for text in options.add:
        argv += ["--add", valid_tag(text)]
    for text in options.remove:
        argv += ["--remove", valid_tag(text)]
    return (*argv, "--", *options.snapshot_ids)


async def run(restic: Restic, options: TagOptions) -> TagResult:
    """Change the tags."""
    finished = await restic.run(argv(options))
    changed: dict[str, str] = {}
    decoder = msgspec.json.Decoder(_Changed)
    for line in finished.stdout:
        if not line.startswith(b"{"):
            continue
        message = decoder.decode(line)
        if message.message_type == "changed":
            changed[message.old_snapshot_id] = message.new_snapshot_id
    return TagResult(changed=changed)
