"""The stores under test, opened as services open them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.settings import StoreSettings
from clipstream.common.stage.scratch import Scratch
from clipstream.common.store import ObjectStore, open_store
from clipstream.common.store.open import open_backing_store
from clipstream.common.store.presign import ROUTE, UploadSigner, receive
from clipstream.mediaproxy.app import application
from clipstream.mediaproxy.settings import Settings as ProxySettings
from fixtures.minio import S3Server

TOKEN = "t" * 32


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
    proxied = ProxySettings.model_validate(behind | {"media_proxy_token": TOKEN, "scratch_dir": root / "scratch"})
    async with serving_proxy(proxied) as url:
        settings = StoreSettings.model_validate({"media_proxy_url": url, "media_proxy_token": TOKEN})
        store = await open_store(settings)
        try:
            yield Opened(store, settings, on_disk=server is None)
        finally:
            await store.delete_prefix("")
            await store.close()


@asynccontextmanager
async def serving_proxy(settings: ProxySettings) -> AsyncIterator[str]:
    """The media proxy over the store of `settings`; its address."""
    store = await open_backing_store(settings)
    try:
        with closing(Scratch.open(settings.scratch_dir, "mediaproxy")) as scratch:
            async with TestServer(application(settings, store, scratch)) as server:
                yield f"http://{server.host}:{server.port}"
    finally:
        await store.close()
