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
        ({"oidc_issuer": "http://accounts.example.org"}, "must be an https:// address"),
        ({"oidc_issuer": "accounts.google.com"}, "must be an https:// address"),
        ({"oidc_jwks_url": "http://127.0.0.1.example.org/keys"}, "must be an https:// address"),
        ({"oidc_jwks_url": "file:///keys"}, "must be an https:// address"),
        ({"site_admins": "ann@example.org"}, "pairs of issuer and subject"),
        ({"site_admins": "dev ann"}, "pairs of issuer and subject"),
        ({"site_admins": "https://a.example one two"}, "pairs of issuer and subject"),
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


def test_site_admins_are_pairs_of_issuer_and_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_ADMINS", "https://accounts.google.com 107691, https://id.example.org ann,")
    assert Settings(**GOOD).site_admins == {
        ("https://accounts.google.com", "107691"),
        ("https://id.example.org", "ann"),
    }
    monkeypatch.setenv("SITE_ADMINS", "")
    assert Settings(**GOOD).site_admins == frozenset()


def test_an_issuer_on_this_machine_needs_no_certificate() -> None:
    assert Settings(**GOOD, oidc_issuer="http://localhost:8081/realms/x").oidc_issuer.startswith("http://")
    assert Settings(**GOOD).oidc_issuer == "https://accounts.google.com"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings(**GOOD).dev_login = True  # type: ignore[misc]
