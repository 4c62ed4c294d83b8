"""The secret that signs webhooks: made once, mode 0600, in Standard Webhooks' form."""

import base64
import binascii
import os
import tempfile
from pathlib import Path

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret

PREFIX = "whsec_"
SECRET_BYTES = 32
LEAST_BYTES = 24
"""What Standard Webhooks asks for."""


class WebhookSecretError(HoldfastError):
    """The webhook secret file does not hold a webhook secret."""

    code = "webhook_secret_invalid"
    guidance = "Put back the file, or delete it: a new one is made at the next start."


def load_or_create_webhook_secret(path: Path) -> Secret:
    """The secret in *path*; a new one when there is no such file.

    Of two processes that start together both get the same one: the file appears whole,
    and only if it is not there.  Raises WebhookSecretError.
    """
    try:
        return _checked(path.read_text(encoding="ascii").strip(), path)
    except FileNotFoundError:
        _create(path)
        return _checked(path.read_text(encoding="ascii").strip(), path)
    except UnicodeDecodeError as error:
        raise WebhookSecretError(f"{path} does not hold a webhook secret.") from error


def _create(path: Path) -> None:
    secret = PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return  # another process was first
    finally:
        Path(name).unlink()


def _checked(text: str, path: Path) -> Secret:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or len(key) < LEAST_BYTES:
        raise WebhookSecretError(f"{path} does not hold a webhook secret.")
    return Secret(text)
