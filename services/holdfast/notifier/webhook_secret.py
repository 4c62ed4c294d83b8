"""The file that holds the secret that signs webhooks: made once, mode 0600."""

import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret
from holdfast.secretbox.webhooks import (
    WebhookSecretError,
    new_webhook_secret,
    webhook_signature,
)


class WebhookSecretFileError(HoldfastError):
    """The webhook secret file does not hold a webhook secret."""

    code = "webhook_secret_file"
    guidance = "Put back the file, or delete it: a new one is made at the next start."


def load_or_create_webhook_secret(path: Path) -> Secret:
    """The secret in *path*; a new one when there is no such file.

    Of two processes that start together both get the same one: the file appears whole,
    and only if it is not there.  One that is there is never replaced.  Raises
    WebhookSecretFileError.
    """
    if not path.exists():
        _create(path)
    try:
        secret = Secret(path.read_text(encoding="ascii").strip())
        webhook_signature(secret, "trial", datetime.now(UTC), b"")
    except (UnicodeDecodeError, WebhookSecretError) as error:
        raise WebhookSecretFileError(f"{path} does not hold a webhook secret.") from error
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_webhook_secret().reveal() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: when another process was first, its secret stays.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
