"""The file that holds the secret that signs webhooks: made once, mode 0600."""

from datetime import UTC, datetime
from pathlib import Path

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.private_file import create_private
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
        path.parent.mkdir(parents=True, exist_ok=True)
        create_private(path, f"{new_webhook_secret().reveal()}\n".encode())
    try:
        secret = Secret(path.read_text(encoding="ascii").strip())
        webhook_signature(secret, "trial", datetime.now(UTC), b"")
    except (UnicodeDecodeError, WebhookSecretError) as error:
        raise WebhookSecretFileError(f"{path} does not hold a webhook secret.") from error
    return secret
