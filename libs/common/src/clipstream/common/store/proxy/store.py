"""The object store behind the media proxy, for hosts that cannot reach the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage, Permanent
from clipstream.common.store.files import read_file
from clipstream.common.store.names import check_key, check_prefix
from clipstream.common.store.objects import ObjectInfo, PresignedUpload, Space
from clipstream.common.store.presign import UploadSigner
from clipstream.common.store.proxy import wire
from clipstream.common.store.proxy.client import ProxyClient, translated
from clipstream.common.store.proxy.parts import ProxyParts
from clipstream.common.store.proxy.sending import Sending
from clipstream.common.store.proxy.signing import DownloadSigner

_RANGE_NOT_SATISFIABLE = 416


class ProxyStore(ProxyParts):
    """Implements `ObjectStore`. Addresses are signed here, with the shared token, for the proxy as browsers see it."""

    def __init__(self, bucket: str, base_url: str, token: str, public_url: str | None = None) -> None:
        self.bucket = bucket
        super().__init__(ProxyClient(base_url, token), UploadSigner(token, public_url or base_url))
        self._downloads = DownloadSigner(token, public_url or base_url)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        check_key(key)
        async with self._client.ask("HEAD", wire.media_path(key), key) as answer:
            return wire.info_from(key, answer.headers)

    async def get(self, key: ObjectKey, *, limit: int = 16 << 20) -> bytes:
        check_key(key)
        async with self._client.ask("GET", wire.media_path(key), key) as answer:
            size = wire.info_from(key, answer.headers).size_bytes
            if size > limit:
                answer.close()
                raise Permanent(f"The object {key} has {size} bytes; {limit} are read at most.")
            return await answer.read()

    async def read_range(self, key: ObjectKey, offset: int, length: int, *, etag: str | None = None) -> bytes:
        return b"".join([piece async for piece in self.stream(key, offset=offset, length=length, etag=etag)])

    async def stream(
        self,
        key: ObjectKey,
        *,
        offset: int = 0,
        length: int | None = None,
        chunk: int = 1 << 20,
        etag: str | None = None,
    ) -> AsyncIterator[bytes]:
        check_key(key)
        headers = {"If-Match": f'"{etag}"'} if etag is not None else {}
        method = "HEAD" if length == 0 else "GET"
        if method == "GET" and (offset or length is not None):
            headers["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"
        async with self._client.ask(
            method, wire.media_path(key), key, headers=headers, accept=_RANGE_NOT_SATISFIABLE
        ) as answer:
            if method == "HEAD" or answer.status == _RANGE_NOT_SATISFIABLE:
                return
            wire.info_from(key, answer.headers)
            async for piece in answer.content.iter_chunked(chunk):
                yield piece

    async def put(
        self,
        key: ObjectKey,
        body: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        headers = _headers(key, content_type, metadata, if_absent)
        # Where the answer to a conditional write is lost, a second try would lose against the first.
        async with self._client.ask("POST", _upload(key), key, headers=headers, data=body, repeat=not if_absent) as got:
            return _stored(await got.read())

    async def put_file(
        self,
        key: ObjectKey,
        path: Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        headers = _headers(key, content_type, metadata, if_absent)
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
        except FileNotFoundError:
            raise NotFound(f"There is no file {path}.") from None
        return await self._send(key, read_file(path), headers | {"Content-Length": str(size)})

    async def put_stream(
        self,
        key: ObjectKey,
        body: AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> ObjectInfo:
        return await self._send(key, body, _headers(key, content_type, metadata, if_absent))

    async def _send(self, key: ObjectKey, body: AsyncIterator[bytes], headers: Mapping[str, str]) -> ObjectInfo:
        async with (
            Sending(key, body) as sending,
            self._client.ask("POST", _upload(key), key, headers=headers, data=sending.pieces(), repeat=False) as answer,
        ):
            return _stored(await answer.read())

    async def delete(self, key: ObjectKey) -> None:
        check_key(key)
        await self._client.delete(wire.media_path(key), key)

    async def delete_prefix(self, prefix: str) -> int:
        check_prefix(prefix)
        told = await self._client.delete(f"{wire.MEDIA}?prefix={quote(prefix, safe='')}", f"{prefix}…")
        with translated(f"{prefix}…"):
            return wire.Deleted.model_validate_json(told).deleted

    async def list(self, prefix: str, *, start_after: str = "") -> AsyncIterator[ObjectInfo]:
        check_prefix(prefix)
        after: str | None = start_after
        while after is not None:
            page = await self._page(prefix, after)
            for listed in page.objects:
                yield listed.info()
            after = page.next_start_after

    async def _page(self, prefix: str, start_after: str) -> wire.Page:
        query = f"prefix={quote(prefix, safe='')}&start_after={quote(start_after, safe='')}"
        async with self._client.ask("GET", f"{wire.MEDIA}?{query}", f"{prefix}…") as answer:
            return wire.Page.model_validate_json(await answer.read())

    async def presign_put(
        self,
        key: ObjectKey,
        *,
        size_bytes: int,
        content_type: str,
        metadata: Mapping[str, str],
        expires_in: timedelta,
        sha256: str | None = None,
    ) -> PresignedUpload:
        return self._uploads.sign(
            key,
            size_bytes=size_bytes,
            content_type=content_type,
            metadata=metadata,
            expires_in=expires_in,
            sha256=sha256,
        )

    async def presign_get(self, key: ObjectKey, *, expires_in: timedelta) -> str | None:
        check_key(key)
        return self._downloads.sign(key, expires_in)

    async def space(self) -> Space | None:
        async with self._client.ask("GET", wire.SPACE, "its space") as answer:
            return wire.Room.model_validate_json(await answer.read()).space()

    async def check(self) -> None:
        """The token goes with the question, so that a wrong one is noticed here and not at the first clip."""
        try:
            async with self._client.ask("GET", wire.HEALTH, "its health") as answer:
                if (await answer.json()).get("status") != "healthy":
                    raise ValueError
        except Permanent as error:
            raise Outage(str(error)) from error

    async def close(self) -> None:
        await self._client.close()


def _stored(body: bytes) -> ObjectInfo:
    return wire.Listed.model_validate_json(body).info()


def _upload(key: ObjectKey) -> str:
    check_key(key)
    return f"{wire.UPLOAD}?key={quote(key, safe='')}"


def _headers(key: ObjectKey, content_type: str, metadata: Mapping[str, str] | None, if_absent: bool) -> dict[str, str]:
    check_key(key)
    if not (content_type.isascii() and content_type.isprintable()):
        raise Permanent(f"The content type {content_type!r} cannot be sent.")
    headers = {"Content-Type": content_type, **wire.metadata_headers(metadata)}
    return headers | ({"If-None-Match": "*"} if if_absent else {})
