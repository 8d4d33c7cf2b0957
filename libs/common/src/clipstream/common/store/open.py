"""Opens the store that the settings name."""

from __future__ import annotations

import asyncio

import structlog

from clipstream.common.errors import Outage
from clipstream.common.settings import StoreSettings
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import UploadSigner

_PATIENCE_S = 60  # a store that starts together with us


async def open_store(settings: StoreSettings, *, signer: UploadSigner | None = None) -> ObjectStore:
    """The store, checked, its bucket created where it was missing. Waits a minute for a server that is starting, then
    `Outage`. `signer` is used for disk storage only, where signed uploads go through the gateway."""
    if settings.on_s3:
        return await _open_s3(settings)
    assert settings.storage_root is not None  # noqa: S101 - the settings' validator made sure
    from clipstream.common.store.disk.store import DiskStore

    return await asyncio.to_thread(DiskStore, settings.storage_root, settings.bucket, signer)


async def _open_s3(settings: StoreSettings) -> ObjectStore:
    from clipstream.common.store.s3.store import S3Store  # its client takes half a second to import

    log = structlog.get_logger(__name__)
    store = await S3Store.open(settings)
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            await store.create_bucket(settings.s3_region)
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
