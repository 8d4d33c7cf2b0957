"""The media proxy's settings: the store it stands before, its token, its address."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from clipstream.common.settings import BackingStoreSettings, LimitSettings, ServiceSettings

MIN_TOKEN_BYTES = 32


class Settings(ServiceSettings, BackingStoreSettings, LimitSettings):
    """Refuses to start with a short token. `MEDIA_PROXY_URL` is for its clients; here it is not read."""

    media_proxy_token: SecretStr
    media_proxy_host: str = "127.0.0.1"
    media_proxy_port: int = Field(default=8081, ge=0, le=65535)
    public_web_url: str | None = None
    scratch_dir: Path | None = None
    image_workers: int = Field(default=2, ge=1, description="pictures made at once")

    @field_validator("media_proxy_token")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < MIN_TOKEN_BYTES:
            raise ValueError(
                f"MEDIA_PROXY_TOKEN must have at least {MIN_TOKEN_BYTES} bytes; make one with: openssl rand -hex 32"
            )
        return value
