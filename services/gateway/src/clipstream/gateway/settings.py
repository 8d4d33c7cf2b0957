"""The gateway's settings: the shared ones, and who may log in, how long tokens live, when silence is suspicious."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode
from yarl import URL

from clipstream.common.settings import BusSettings, DatabaseSettings, LimitSettings, ServiceSettings, StoreSettings
from clipstream.gateway import limits

MIN_SECRET_BYTES = 32
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _pairs(value: object) -> object:
    """`issuer subject, issuer subject`. An e-mail address is no subject: it may be somebody else's tomorrow."""
    if not isinstance(value, str):
        return value
    pairs = [tuple(pair.split()) for pair in value.split(",") if pair.strip()]
    if any(len(pair) != 2 or "://" not in pair[0] for pair in pairs):
        raise ValueError("SITE_ADMINS holds pairs of issuer and subject: https://accounts.google.com 1076, ...")
    return pairs


SiteAdmins = Annotated[frozenset[tuple[str, str]], NoDecode, BeforeValidator(_pairs)]


class Settings(ServiceSettings, BusSettings, DatabaseSettings, StoreSettings, LimitSettings):
    """Refuses to start with a short secret, or with development login beside a public address."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65535)
    public_api_url: str | None = None
    public_web_url: str | None = None
    cors_origins: str = Field(default="", description="further web apps that may call the API, separated by commas")
    trusted_proxies: int = Field(
        default=0, ge=0, le=10, description="proxies of ours in front: X-Forwarded-For is believed that far"
    )
    rate_limits: str = Field(default="", description="like 'ordinary=1000/10 guess=20/60', or 'off'")

    secret_key: SecretStr
    dev_login: bool = False
    oidc_issuer: str = "https://accounts.google.com"
    oidc_client_id: str | None = None
    oidc_jwks_url: str | None = None
    site_admins: SiteAdmins = frozenset()
    access_token_life: timedelta = timedelta(minutes=10)
    refresh_token_life: timedelta = timedelta(days=30)
    media_token_life: timedelta = timedelta(hours=6)
    upload_url_life: timedelta = timedelta(minutes=15)

    user_quota: ByteSize | None = Field(default=None, description="bytes of all clips that one user uploaded")
    stream_quota: ByteSize | None = Field(default=None, description="bytes of all clips of one stream")
    max_open_uploads: int = Field(default=1000, ge=1, description="clips of one user that wait for their file")
    max_active_clips_per_user: int = Field(
        default=4,
        ge=1,
        description="clips of one user that are worked on at once; the others wait, and nobody behind them",
    )
    minio_webhook_token: SecretStr | None = Field(default=None, description="what the object store proves itself with")

    search_url: str | None = None
    internal_token: SecretStr | None = None

    webhook_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="hosts that webhooks may name although their address is not public"
    )

    stale_after: timedelta = Field(default=timedelta(seconds=60), description="silence of a running stage")
    queued_after: timedelta = Field(default=timedelta(minutes=10), description="silence of a queued stage")
    retrying_after: timedelta = Field(
        default=timedelta(minutes=45),
        description="silence of a stage that waits for its next try; longer than the longest wait",
    )
    announce_after: timedelta = Field(default=timedelta(seconds=30), description="age of an upload nobody announced")
    abandon_after: timedelta = Field(default=timedelta(hours=24), description="silence of an upload that never came")
    give_up_after: timedelta = Field(default=timedelta(hours=48), description="age of a clip that no stage finishes")
    sweep_interval: timedelta = timedelta(seconds=5)
    max_attempts: int = Field(default=5, ge=1)

    @field_validator("webhook_allowed_hosts", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (
            tuple(host.strip().lower() for host in value.split(",") if host.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"SECRET_KEY must have at least {MIN_SECRET_BYTES} bytes; make one with: openssl rand -hex 32"
            )
        return value

    @field_validator("rate_limits")
    @classmethod
    def _readable(cls, value: str) -> str:
        limits.parse(value)
        return value

    @property
    def web_origins(self) -> frozenset[str]:
        """The origins whose pages may read the API's answers."""
        given = [*self.cors_origins.split(","), self.public_web_url or ""]
        return frozenset(str(URL(url.strip()).origin()) for url in given if url.strip())

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _unforgeable(cls, value: str | None) -> str | None:
        """Keys that come unprotected are anybody's; on this machine they may."""
        if value is not None:
            url = urlsplit(value)
            if not url.hostname or (url.scheme != "https" and (url.scheme != "http" or url.hostname not in _LOOPBACK)):
                raise ValueError("must be an https:// address: sign-in trusts the keys that it finds there")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        try:
            self.web_origins  # noqa: B018 - read to be checked
        except ValueError as error:
            raise ValueError("CORS_ORIGINS and PUBLIC_WEB_URL must be addresses like https://clips.example") from error
        if self.dev_login and self.public_api_url:
            raise ValueError(
                "DEV_LOGIN lets anybody in by name and PUBLIC_API_URL is set: unset one of them before starting"
            )
        if self.search_url and self.internal_token is None:
            raise ValueError("SEARCH_URL is set, so INTERNAL_TOKEN must be set too: the search service asks for it")
        return self
