"""The file that holds the webhook secret."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.notifier.webhook_secret import WebhookSecretFileError, load_or_create_webhook_secret


def test_it_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "webhook-secret"

    first = load_or_create_webhook_secret(path)
    second = load_or_create_webhook_secret(path)

    assert first == second
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["webhook-secret"]


def test_it_has_the_form_that_standard_webhooks_asks_for(tmp_path: Path) -> None:
    secret = load_or_create_webhook_secret(tmp_path / "webhook-secret").reveal()

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_those_who_start_together_get_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "webhook-secret"

    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(load_or_create_webhook_secret, [path] * 8))

    assert len(set(secrets)) == 1


def test_one_that_a_person_wrote_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "webhook-secret"
    path.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\n")

    assert load_or_create_webhook_secret(path).reveal() == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("content", [b"", b"whsec_", b"whsec_c2hvcnQ=", b"whsec_!!!", b"\xff"])
def test_anything_else_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "webhook-secret"
    path.write_bytes(content)

    with pytest.raises(WebhookSecretFileError, match="does not hold"):
        load_or_create_webhook_secret(path)

    assert path.read_bytes() == content
