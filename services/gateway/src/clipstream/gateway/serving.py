"""Objects of the store over HTTP: streamed, with ranges and ETags. Nothing larger than a piece is held in memory."""

from __future__ import annotations

from aiohttp import hdrs, web

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectStore
from clipstream.gateway import ranges
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.dispatch import matches

SMALL = 1 << 20


async def serve_object(
    request: web.Request, store: ObjectStore, key: ObjectKey, *, content_type: str, cache_control: str
) -> web.StreamResponse:
    """The object, or the range of it that was asked for. `NotFound` where there is none."""
    info = await store.head(key)
    etag = f'"{info.etag.strip(chr(34))}"'
    headers = {
        hdrs.ETAG: etag,
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CONTENT_TYPE: content_type,
    }
    if matches(request.headers.get(hdrs.IF_NONE_MATCH, ""), etag):
        return web.Response(status=304, headers=headers)
    span = _span(request, info.size_bytes, etag)
    status, offset, length = (200, 0, info.size_bytes) if span is None else (206, span.start, span.length)
    if span is not None:
        headers[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.end}/{info.size_bytes}"
    if length <= SMALL and request.method != hdrs.METH_HEAD:
        return web.Response(status=status, headers=headers, body=await store.read_range(key, offset, length))
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        async for chunk in store.stream(key, offset=offset, length=length):
            await response.write(chunk)
    await response.write_eof()
    return response


def _span(request: web.Request, size: int, etag: str) -> ranges.Span | None:
    if request.headers.get(hdrs.IF_RANGE, etag) != etag:
        return None
    try:
        return ranges.parse(request.headers.get(hdrs.RANGE, ""), size)
    except ranges.Unsatisfiable as error:
        raise Problem(416, "Range not satisfiable", headers={hdrs.CONTENT_RANGE: f"bytes */{size}"}) from error
