"""What the gateway refuses to start with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clipstream.gateway.settings import Settings

GOOD: dict[str, Any] = {
    "amqp_url": "amqp://u:p@localhost/",
    "database_url": "postgresql://u:p@localhost/d",
    "storage_root": "/nowhere",
    "secret_key": "k" * 32,
}


def test_it_starts_with_what_it_needs() -> None:
    assert Settings(**GOOD).dev_login is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret_key": "short"}, "at least 32 bytes"),
        ({"dev_login": True, "public_api_url": "https://api.example.org"}, "unset one of them"),
        ({"search_url": "http://search:9000"}, "INTERNAL_TOKEN must be set"),
    ],
)
def test_it_refuses_what_is_unsafe(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**(GOOD | change))


def test_it_has_no_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with pytest.raises(ValidationError, match="secret_key"):
        Settings(**{name: value for name, value in GOOD.items() if name != "secret_key"})


def test_secrets_are_not_in_the_start_up_line() -> None:
    shown = str(Settings(**GOOD, internal_token="t" * 32).redacted())
    assert "k" * 32 not in shown
    assert "t" * 32 not in shown
    assert "u:p" not in shown


def test_an_empty_name_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """compose passes names that nobody set as empty ones."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("PUBLIC_API_URL", "")
    monkeypatch.setenv("MINIO_ENDPOINT", "")
    started = Settings()
    assert started.public_api_url is None
    assert not started.on_s3


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings(**GOOD).dev_login = True  # type: ignore[misc]
