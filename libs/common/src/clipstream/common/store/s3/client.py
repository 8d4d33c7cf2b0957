"""The S3 clients: one for the work, on the endpoint as services see it, and two that only sign, on the endpoint as
browsers see it. The host is part of a signature, so a signed URL cannot be moved to another host afterwards."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from pydantic import SecretStr

from clipstream.common.settings import BackingStoreSettings

CONNECTIONS = 64  # at once to the store; botocore's own default of 10 starves range readers


@dataclass(frozen=True)
class Clients:
    """`work` talks to the store. `put_signer` and `get_signer` sign offline: uploads with the signer's credential, which
    may only write (its key id is readable in every URL), downloads with the service's own."""

    work: Any
    put_signer: Any
    get_signer: Any


async def open_clients(settings: BackingStoreSettings, stack: AsyncExitStack) -> Clients:
    session = get_session()
    own = (settings.s3_access_key, settings.s3_secret_key)
    signer = (
        (settings.s3_signer_access_key, settings.s3_signer_secret_key)
        if settings.s3_signer_access_key is not None
        else own
    )
    browser = settings.s3_browser_endpoint
    return Clients(
        work=await _enter(session, stack, settings, settings.s3_endpoint, own),
        put_signer=await _enter(session, stack, settings, browser, signer),
        get_signer=await _enter(session, stack, settings, browser, own),
    )


async def _enter(
    session: AioSession,
    stack: AsyncExitStack,
    settings: BackingStoreSettings,
    endpoint: str | None,
    credentials: tuple[SecretStr | None, SecretStr | None],
) -> Any:
    access, secret = credentials
    client = session.create_client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=endpoint,
        aws_access_key_id=access.get_secret_value() if access else None,  # None: the machine's own AWS role
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=_config(aws=endpoint is None),
    )
    return await stack.enter_async_context(client)


def _config(*, aws: bool) -> AioConfig:
    return AioConfig(
        signature_version="s3v4",
        s3={
            "addressing_style": "auto" if aws else "path",
            # Hashing a whole part for the signature would stall the event loop (measured: 0.5 s per 100 MiB).
            "payload_signing_enabled": False,
        },
        # Checksums are passed where they are wanted; "when_supported" breaks older S3 servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "max_attempts": 3},
        max_pool_connections=CONNECTIONS,
        connect_timeout=5,
        read_timeout=60,
        tcp_keepalive=True,
    )
