"""Random text, and signatures that others can verify."""

import base64
import re
from datetime import UTC, datetime

import pytest

from holdfast.kernel.secret import Secret
from holdfast.secretbox.restic_key import MACHINE_MADE
from holdfast.secretbox.tokens import new_repository_password, new_token, token_hash
from holdfast.secretbox.webhooks import (
    WebhookSecretError,
    new_webhook_secret,
    webhook_signature,
)

# Standard Webhooks' own example.
EXAMPLE = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
EXAMPLE_TIME = datetime.fromtimestamp(1614265330, UTC)


def test_a_token_says_what_it_is_and_is_never_the_same() -> None:
    tokens = {new_token() for _ in range(200)}

    assert len(tokens) == 200
    assert all(re.fullmatch(r"hf_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_token_s_hash_is_of_all_of_it() -> None:
    token = new_token()

    assert len(token_hash(token)) == 32
    assert token_hash(token) == token_hash(token)
    assert token_hash(token) != token_hash(token[:-1])


def test_a_repository_password_holds_32_bytes_and_can_be_typed_from_paper() -> None:
    passwords = [new_repository_password().reveal() for _ in range(200)]

    assert len(set(passwords)) == 200
    for password in passwords:
        assert re.fullmatch(r"[a-z2-7]{52}", password)
        assert len(base64.b32decode(password.upper() + "====")) == 32


def test_a_repository_password_counts_as_machine_made() -> None:
    assert len(new_repository_password().reveal()) >= MACHINE_MADE


def test_the_signature_is_that_of_standard_webhooks() -> None:
    signature = webhook_signature(
        EXAMPLE, "msg_p5jXN8AQM9LWM0D4loKWxJek", EXAMPLE_TIME, b'{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_covers_id_time_and_body() -> None:
    def sign(message_id: str, seconds: int, body: bytes) -> str:
        return webhook_signature(EXAMPLE, message_id, datetime.fromtimestamp(seconds, UTC), body)

    signatures = {
        sign("a", 1, b"x"), sign("b", 1, b"x"), sign("a", 2, b"x"), sign("a", 1, b"y"),
    }  # fmt: skip

    assert len(signatures) == 4
    assert sign("a", 1, b"x") in signatures


def test_a_message_id_cannot_pass_for_a_part_of_the_time() -> None:
    with pytest.raises(ValueError, match="full stop"):
        webhook_signature(EXAMPLE, "a.1", EXAMPLE_TIME, b"")


def test_a_new_secret_signs() -> None:
    secret = new_webhook_secret()

    assert secret.reveal().startswith("whsec_")
    assert webhook_signature(secret, "a", EXAMPLE_TIME, b"").startswith("v1,")


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_dG9vIHNob3J0", "whsec_***", "pässword"])
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(WebhookSecretError):
        webhook_signature(Secret(text), "a", EXAMPLE_TIME, b"")
