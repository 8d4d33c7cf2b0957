"""One store is named, by whichever of its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.common.settings import StoreSettings
from clipstream.mediaproxy.settings import Settings

PROXY = {"media_proxy_url": "http://media:8081", "media_proxy_token": "t" * 32}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize("more", [{}, KEYS, {"media_proxy_public_url": "https://media.example/at"}])
def test_a_media_proxy_is_a_store(more: dict[str, str]) -> None:
    settings = StoreSettings.model_validate(PROXY | more)
    assert settings.media_proxy_url == "http://media:8081"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (PROXY | {"storage_root": "/srv"}, "two stores"),
        (PROXY | KEYS | {"MINIO_ENDPOINT": "minio:9000"}, "two stores"),
        ({"media_proxy_url": "http://media:8081"}, "MEDIA_PROXY_TOKEN must be set"),
        (PROXY | {"media_proxy_url": "media:8081"}, "media_proxy_url"),
        (PROXY | {"media_proxy_url": "http://u:p@media:8081"}, "media_proxy_url"),
        (PROXY | {"media_proxy_url": "http://media:8081?a=b"}, "media_proxy_url"),
        ({"media_proxy_token": "t" * 32}, "no storage is configured"),
    ],
)
def test_a_contradiction_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StoreSettings.model_validate(given)


def test_the_proxy_itself_needs_a_store_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no storage is configured"):
        Settings.model_validate(PROXY)
    assert Settings.model_validate(PROXY | {"storage_root": tmp_path}).storage_root == tmp_path


def test_its_token_is_long_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Settings.model_validate(PROXY | {"storage_root": tmp_path, "media_proxy_token": "t" * 31})
    assert "ttt" not in str(Settings.model_validate(PROXY | {"storage_root": tmp_path}).redacted())
