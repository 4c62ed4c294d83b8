"""restic's JSON lines as structs, under restic's own names.

The type is chosen by ``message_type`` in code: a tagged union would reject the types
that a newer restic adds, and those are accepted and ignored.
"""

from datetime import datetime

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Any message; one of a type that is not known decodes as this and nothing more."""

    message_type: str = ""


class Status(Message, frozen=True, kw_only=True):
    """Progress of a backup or restore.  Sizes in bytes, times in seconds."""

    percent_done: float = 0.0
    """From 0 to 1; while a backup still scans, it may go back."""
    seconds_elapsed: int = 0
    seconds_remaining: int = 0
    total_files: int = 0
    files_done: int = 0
    total_bytes: int = 0
    bytes_done: int = 0
    error_count: int = 0
    current_files: tuple[str, ...] = ()
    files_restored: int = 0
    files_skipped: int = 0
    bytes_restored: int = 0
    bytes_skipped: int = 0


class VerboseStatus(Message, frozen=True, kw_only=True):
    """What restic did with one file.  ``action`` is new, modified, unchanged, restored, updated…"""

    action: str = ""
    item: str = ""
    size: int = 0
    data_size: int = 0


class BackupSummary(Message, frozen=True, kw_only=True):
    """What a backup came to.  Sizes in bytes; ``data_added_packed`` is after compression."""

    files_new: int = 0
    files_changed: int = 0
    files_unmodified: int = 0
    dirs_new: int = 0
    dirs_changed: int = 0
    dirs_unmodified: int = 0
    data_blobs: int = 0
    tree_blobs: int = 0
    data_added: int = 0
    data_added_packed: int = 0
    total_files_processed: int = 0
    total_bytes_processed: int = 0
    total_duration: float = 0.0
    backup_start: datetime | None = None
    backup_end: datetime | None = None
    snapshot_id: str = ""
    """64 hex digits; empty when nothing changed and --skip-if-unchanged was given."""


class RestoreSummary(Message, frozen=True, kw_only=True):
    """What a restore came to.  Directories count as files, so a part may exceed the total."""

    seconds_elapsed: int = 0
    total_files: int = 0
    files_restored: int = 0
    files_skipped: int = 0
    files_deleted: int = 0
    total_bytes: int = 0
    bytes_restored: int = 0
    bytes_skipped: int = 0


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""


class ErrorMessage(Message, frozen=True, kw_only=True):
    """Something that went wrong on the way.  Backup and restore nest the text, check does not."""

    error: ErrorDetail = ErrorDetail()
    message: str = ""
    during: str = ""
    item: str = ""

    @property
    def text(self) -> str:
        """One line about it."""
        words = (self.error.message or self.message).strip()
        return f"{self.item}: {words}" if self.item and self.item not in words else words


class ExitError(Message, frozen=True, kw_only=True):
    """Why restic ends as it does; the last message on standard error."""

    code: int = 1
    message: str = ""


KINDS: dict[str, type[Message]] = {
    "status": Status,
    "verbose_status": VerboseStatus,
    "error": ErrorMessage,
    "exit_error": ExitError,
}
"""Without "summary", which every command means differently."""


class Reader:
    """Decodes the lines of one command.  *summary* is what its summary decodes as."""

    def __init__(self, summary: type[Message] = Message) -> None:
        self._peek = msgspec.json.Decoder(Message)
        self._decoders: dict[str, msgspec.json.Decoder[Message]] = {
            name: msgspec.json.Decoder(kind) for name, kind in {**KINDS, "summary": summary}.items()
        }

    def read(self, line: bytes) -> Message | None:
        """The message in *line*, or None when it is text for people."""
        if not line.startswith(b"{"):
            return None
        try:
            message = self._peek.decode(line)
            decoder = self._decoders.get(message.message_type)
            return message if decoder is None else decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
