"""The stores under test, opened as services open them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.settings import StoreSettings
from clipstream.common.store import ObjectStore, open_store
from clipstream.common.store.presign import ROUTE, UploadSigner, receive
from fixtures.mediaproxy import media_proxy
from fixtures.minio import S3Server


@dataclass(frozen=True)
class Opened:
    """A store, what it was opened with, and whether its bytes lie on a disk in the end."""

    store: ObjectStore
    settings: StoreSettings
    on_disk: bool


@asynccontextmanager
async def open_on_s3(server: S3Server) -> AsyncIterator[Opened]:
    settings = server.bucket()
    store = await open_store(settings)
    try:
        yield Opened(store, settings, on_disk=False)
    finally:
        await store.delete_prefix("")
        await store.close()


@asynccontextmanager
async def open_on_disk(root: Path) -> AsyncIterator[Opened]:
    """With a route beside it that takes signed uploads, as the gateway has one."""
    port = unused_port()
    signer = UploadSigner("s" * 32, f"http://127.0.0.1:{port}")
    settings = StoreSettings.model_validate({"storage_root": root, "MINIO_BUCKET": "test-bucket"})
    store = await open_store(settings, signer=signer)

    async def upload(request: web.Request) -> web.Response:
        try:
            grant = signer.verify(request.query, request.headers)
            info = await receive(store, grant, request.content.iter_chunked(1 << 16))
        except Rejected as error:
            return web.Response(status=403, text=str(error))
        except NotFound as error:
            return web.Response(status=404, text=str(error))
        except Conflict as error:
            return web.Response(status=412, text=str(error))
        return web.Response(headers={"ETag": f'"{info.etag}"'})

    app = web.Application()
    app.router.add_put(ROUTE, upload)
    async with TestServer(app, port=port):
        try:
            yield Opened(store, settings, on_disk=True)
        finally:
            await store.close()


@asynccontextmanager
async def open_behind_proxy(root: Path, server: S3Server | None = None) -> AsyncIterator[Opened]:
    """The media proxy over a directory or a bucket, and its client."""
    behind = {"storage_root": root / "storage"} if server is None else server.bucket().model_dump()
    async with media_proxy(behind | {"scratch_dir": root / "scratch"}) as settings:
        store = await open_store(settings)
        try:
            yield Opened(store, settings, on_disk=server is None)
        finally:
            await store.delete_prefix("")
            await store.close()
