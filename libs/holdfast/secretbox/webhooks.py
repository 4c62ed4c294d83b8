"""Signatures of webhooks, as Standard Webhooks has them (standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.secret import Secret

PREFIX = "whsec_"
LEAST_BYTES = 24
"""What Standard Webhooks asks for: 24 to 64 bytes."""
MOST_BYTES = 64


class WebhookSecretError(HoldfastError):
    """The webhook secret is not 24 to 64 bytes in base64."""

    code = "webhook_secret"
    guidance = "Use one that Holdfast made, or 'whsec_' and 32 random bytes in base64."
    status = 400


def new_webhook_secret() -> Secret:
    """``whsec_`` and 32 random bytes in base64."""
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())


def webhook_signature(secret: Secret, message_id: str, sent_at: datetime, body: bytes) -> str:
    """The value of ``webhook-signature``: ``v1,`` and an HMAC-SHA256 in base64.

    It covers the headers ``webhook-id`` and ``webhook-timestamp`` (whole seconds of
    *sent_at*) and the bytes of the body as they are sent.  Raises WebhookSecretError.
    """
    if "." in message_id:
        raise ValueError("a message id with a full stop would make the signed text ambiguous")
    signed = f"{message_id}.{int(sent_at.timestamp())}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: Secret) -> bytes:
    try:
        key = base64.b64decode(secret.reveal().strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WebhookSecretError from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise WebhookSecretError
    return key
