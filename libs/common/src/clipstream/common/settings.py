"""Settings that several services share, as mixins. Each service has one frozen `Settings` of its own made of these; the
environment is read here and nowhere else. Names are those that operators know from `.env.example`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, AmqpDsn, ByteSize, Field, PostgresDsn, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_WEB_ADDRESS = r"^https?://[^/?#@]+(/[^?#]*)?$"


class Mixin(BaseSettings):
    """Base of all of them. Of several bases pydantic lets the last one's configuration win, so each has to have it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True)


class ServiceSettings(Mixin):
    """What every service has: how it logs, where it serves health and metrics, how long it may take to stop."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    internal_host: str = "127.0.0.1"
    internal_port: int = Field(default=9000, ge=0, le=65535)
    drain_timeout: timedelta = timedelta(seconds=25)

    def redacted(self) -> dict[str, str]:
        """The settings for the start-up log line: secrets masked, URLs without their credentials."""
        shown: dict[str, str] = {}
        for name, value in self:
            text = str(value)
            if "://" in text and "@" in text:
                scheme, rest = text.split("://", 1)
                text = f"{scheme}://***@{rest.rsplit('@', 1)[1]}"
            shown[name] = text
        return shown


class BusSettings(Mixin):
    """The broker."""

    amqp_url: AmqpDsn
    storage_exchange: str = "clipstream.storage"


class DatabaseSettings(Mixin):
    """PostgreSQL."""

    database_url: PostgresDsn
    database_pool_size: int = Field(default=10, ge=1)


class BackingStoreSettings(Mixin):
    """A store that keeps its bytes itself: an S3 endpoint (MinIO or another), AWS S3, or a directory; in this order, by
    what is set. What the media proxy stands before."""

    s3_endpoint_url: str | None = Field(
        default=None, validation_alias=AliasChoices("S3_ENDPOINT_URL", "MINIO_ENDPOINT")
    )
    s3_port: int | None = Field(default=None, validation_alias=AliasChoices("MINIO_PORT"))
    s3_secure: bool = Field(default=False, validation_alias=AliasChoices("MINIO_SECURE", "MINIO_USE_SSL"))
    s3_public_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("MINIO_PUBLIC_ENDPOINT", "S3_PUBLIC_ENDPOINT")
    )
    s3_region: str = Field(default="us-east-1", validation_alias=AliasChoices("MINIO_REGION", "AWS_REGION"))
    s3_access_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("MINIO_ACCESS_KEY", "AWS_ACCESS_KEY_ID")
    )
    s3_secret_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("MINIO_SECRET_KEY", "AWS_SECRET_ACCESS_KEY")
    )
    s3_signer_access_key: SecretStr | None = Field(default=None, validation_alias="MINIO_SIGNER_ACCESS_KEY")
    s3_signer_secret_key: SecretStr | None = Field(default=None, validation_alias="MINIO_SIGNER_SECRET_KEY")
    bucket: str = Field(
        default="clipstream",
        min_length=3,
        validation_alias=AliasChoices("MINIO_BUCKET", "MINIO_BUCKET_NAME", "S3_BUCKET_NAME"),
    )
    storage_root: Path | None = None

    @model_validator(mode="after")
    def _one_store(self) -> BackingStoreSettings:
        self._check_backing()
        return self

    def _check_backing(self) -> None:
        if self.on_s3 and (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError(
                "object storage needs both halves of its credentials: set the access key and the secret key"
            )
        if (self.s3_signer_access_key is None) != (self.s3_signer_secret_key is None):
            raise ValueError("set both MINIO_SIGNER_ACCESS_KEY and MINIO_SIGNER_SECRET_KEY, or neither")
        if not self.on_s3 and self.storage_root is None:
            raise ValueError(
                "no storage is configured: set S3_ENDPOINT_URL or MINIO_ENDPOINT, AWS credentials, or STORAGE_ROOT"
            )
        if self.on_s3 and self.storage_root is not None:
            raise ValueError("two stores are configured: unset STORAGE_ROOT, or unset the S3 and MinIO names")

    @property
    def on_s3(self) -> bool:
        return self.s3_endpoint_url is not None or (self.storage_root is None and self.s3_access_key is not None)

    @property
    def s3_endpoint(self) -> str | None:
        """The endpoint as a URL; None means AWS."""
        return self._as_url(self.s3_endpoint_url, self.s3_port)

    @property
    def s3_browser_endpoint(self) -> str | None:
        """The endpoint as browsers see it: what presigned URLs name."""
        return self._as_url(self.s3_public_endpoint, None) or self.s3_endpoint

    def _as_url(self, endpoint: str | None, port: int | None) -> str | None:
        if endpoint is None or "://" in endpoint:
            return endpoint
        host = endpoint if port is None or ":" in endpoint else f"{endpoint}:{port}"
        return f"{'https' if self.s3_secure else 'http'}://{host}"


class StoreSettings(BackingStoreSettings):
    """The object store as every service but the media proxy sees it: that proxy where `MEDIA_PROXY_URL` names one, else
    a store of its own."""

    media_proxy_url: str | None = Field(default=None, pattern=_WEB_ADDRESS)
    media_proxy_public_url: str | None = Field(default=None, pattern=_WEB_ADDRESS)
    media_proxy_token: SecretStr | None = None

    @model_validator(mode="after")
    def _one_store(self) -> StoreSettings:
        if self.media_proxy_url is None:
            self._check_backing()
        elif self.s3_endpoint_url is not None or self.storage_root is not None:
            raise ValueError(
                "two stores are configured: unset MEDIA_PROXY_URL, or unset STORAGE_ROOT and the S3 and MinIO names"
            )
        elif self.media_proxy_token is None:
            raise ValueError(
                "MEDIA_PROXY_URL is set, so MEDIA_PROXY_TOKEN must be set too: the media proxy asks for it"
            )
        return self


class VectorSettings(Mixin):
    """Qdrant by URL, else our own process with Qdrant's engine behind a socket."""

    qdrant_url: str | None = None
    qdrant_api_key: SecretStr | None = None
    vectors_url: str | None = Field(
        default=None, description="unix:/path/to/socket or tcp://host:port of the edge process"
    )
    vectors_token: SecretStr | None = None

    @model_validator(mode="after")
    def _one_engine(self) -> VectorSettings:
        if self.qdrant_url is None and self.vectors_url is None:
            raise ValueError("no vector engine is configured: set QDRANT_URL, or VECTORS_URL of the edge process")
        return self


class StageSettings(ServiceSettings, BusSettings, StoreSettings):
    """What every pipeline stage needs."""

    scratch_dir: Path | None = None
    slots: int = Field(default=1, ge=1, description="jobs at once in one process")


class LimitSettings(Mixin):
    """What an upload may be at most."""

    max_upload_size: ByteSize = ByteSize(2_000_000_000)
    max_duration: timedelta = timedelta(minutes=20)
