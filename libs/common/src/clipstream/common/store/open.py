"""Opens the store that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from clipstream.common.errors import Outage
from clipstream.common.settings import BackingStoreSettings, StoreSettings
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import UploadSigner

_PATIENCE_S = 60  # a store that starts together with us


async def open_store(settings: StoreSettings, *, signer: UploadSigner | None = None) -> ObjectStore:
    """The store, checked, its bucket created where it was missing. Waits a minute for a server that is starting, then
    `Outage`. `signer` is used for disk storage only, where signed uploads go through the gateway."""
    if settings.media_proxy_url is not None:
        return await _open_proxy(settings, settings.media_proxy_url)
    return await open_backing_store(settings, signer=signer)


async def open_backing_store(settings: BackingStoreSettings, *, signer: UploadSigner | None = None) -> ObjectStore:
    """The same for a store that keeps its bytes itself."""
    if settings.on_s3:
        return await _open_s3(settings)
    assert settings.storage_root is not None  # noqa: S101 - the settings' validator made sure
    from clipstream.common.store.disk.store import DiskStore

    return await asyncio.to_thread(DiskStore, settings.storage_root, settings.bucket, signer)


async def _open_s3(settings: BackingStoreSettings) -> ObjectStore:
    from clipstream.common.store.s3.store import S3Store  # its client takes half a second to import

    store = await S3Store.open(settings)
    return await _awaited(store, lambda: store.create_bucket(settings.s3_region))


async def _open_proxy(settings: StoreSettings, url: str) -> ObjectStore:
    from clipstream.common.store.proxy.store import ProxyStore

    assert settings.media_proxy_token is not None  # noqa: S101 - the settings' validator made sure
    token = settings.media_proxy_token.get_secret_value()
    store = ProxyStore(settings.bucket, url, token, settings.media_proxy_public_url)
    return await _awaited(store, store.check)


async def _awaited(store: ObjectStore, prepare: Callable[[], Awaitable[None]]) -> ObjectStore:
    """The store once `prepare` has succeeded; closed where it never does."""
    log = structlog.get_logger(__name__)
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            await prepare()
        except Outage as error:
            if asyncio.get_running_loop().time() > deadline:
                await store.close()
                raise
            log.info("store_awaited", reason=str(error))
            await asyncio.sleep(1)
        except BaseException:
            await store.close()
            raise
        else:
            return store
