"""Objects over HTTP: streamed, with one range, with conditions. Nothing larger than a piece is held in memory, and every
answer is of one version: the store is asked for the very one whose headers were sent."""

from __future__ import annotations

import asyncio

from aiohttp import ETag, hdrs, web

from clipstream.common.errors import Conflict, Permanent
from clipstream.common.store.objects import ObjectInfo, ObjectStore
from clipstream.common.store.proxy.wire import headers_of
from clipstream.mediaproxy.access import SIGNED
from clipstream.mediaproxy.problems import Problem

REVALIDATE = "private, no-cache"
FOREVER = "private, max-age=31536000, immutable"

_SMALL = 256 << 10
_PIECE = 1 << 20
_PATIENCE_S = 60  # a reader that takes nothing for so long is let go
_SHOWN = ("video/", "audio/", "image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "text/vtt")


async def serve(
    request: web.Request, store: ObjectStore, info: ObjectInfo, *, cache_control: str = REVALIDATE
) -> web.StreamResponse:
    """The object, or the range of it that was asked for. `Conflict` where it is another by now."""
    headers = headers_of(info) | {
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CONTENT_TYPE: info.content_type,
    }
    if not info.content_type.startswith(_SHOWN):
        headers[hdrs.CONTENT_DISPOSITION] = "attachment"
    if request.get(SIGNED):
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if (unchanged := _conditions(request, info)) is not None:
        return web.Response(status=unchanged, headers=headers)
    span = _span(request, info)
    status, offset, length = (200, 0, info.size_bytes) if span is None else (206, span.start, len(span))
    if span is not None:
        headers[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.stop - 1}/{info.size_bytes}"
    if request.method == hdrs.METH_HEAD:
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = length
        await response.prepare(request)
        return response
    if length <= _SMALL:
        body = await store.read_range(info.key, offset, length, etag=info.etag)
        return web.Response(status=status, headers=headers, body=body)
    return await _streamed(request, store, info, web.StreamResponse(status=status, headers=headers), offset, length)


async def _streamed(
    request: web.Request,
    store: ObjectStore,
    info: ObjectInfo,
    response: web.StreamResponse,
    offset: int,
    length: int,
) -> web.StreamResponse:
    """Begins to answer once the first piece is there. Later trouble closes the connection before the declared length."""
    response.content_length = length
    pieces = store.stream(info.key, offset=offset, length=length, chunk=_PIECE, etag=info.etag)
    async for piece in pieces:
        if not response.prepared:
            await response.prepare(request)
        async with asyncio.timeout(_PATIENCE_S):
            await response.write(piece)
    async with asyncio.timeout(_PATIENCE_S):
        await response.write_eof()
    return response


def _conditions(request: web.Request, info: ObjectInfo) -> int | None:
    """304 where the caller has it already. `Conflict` where it wants another version."""
    wanted = request.if_match
    if wanted is not None and not _matches(wanted, info.etag):
        raise Conflict(f"The object {info.key} has changed since it was looked at.")
    known = request.if_none_match
    return 304 if known is not None and _matches(known, info.etag) else None


def _matches(tags: tuple[ETag, ...], etag: str) -> bool:
    return any(tag.value in (etag, "*") for tag in tags)


def _span(request: web.Request, info: ObjectInfo) -> range | None:
    """The one range asked for; None where the whole is to be sent (several ranges, a stale If-Range, nonsense)."""
    if request.headers.get(hdrs.IF_RANGE, f'"{info.etag}"') != f'"{info.etag}"':
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None and asked.stop is None:
        return None
    start, stop, _ = asked.indices(info.size_bytes)
    if start >= stop:
        outside = {"Content-Range": f"bytes */{info.size_bytes}"}
        raise Problem(416, "Range not satisfiable", fault=Permanent, headers=outside)
    return range(start, stop)
