"""Objects of the store over HTTP: streamed, with ranges and ETags. Nothing larger than a piece is held in memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import hdrs, web

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectStore
from clipstream.gateway import ranges
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.conditional import etag_of
from clipstream.gateway.routes.dispatch import matches

SMALL = 1 << 20
NAME_LENGTH = 120
# Characters that mean something to a file system, a shell or a header; and a dot in front hides a file.
_UNFIT = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|%]|^[.\s]+|[.\s]+$')


async def serve_object(
    request: web.Request,
    store: ObjectStore,
    key: ObjectKey,
    *,
    content_type: str,
    cache_control: str,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """The object, or the range of it that was asked for. `NotFound` where there is none."""
    info = await store.head(key)
    etag = f'"{info.etag.strip(chr(34))}"'
    sent = {
        hdrs.ETAG: etag,
        hdrs.CACHE_CONTROL: cache_control,
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CONTENT_TYPE: content_type,
        **(headers or {}),
    }
    if matches(request.headers.get(hdrs.IF_NONE_MATCH, ""), etag):
        return web.Response(status=304, headers=sent)
    span = _span(request, info.size_bytes, etag)
    status, offset, length = (200, 0, info.size_bytes) if span is None else (206, span.start, span.length)
    if span is not None:
        sent[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.end}/{info.size_bytes}"
    if length <= SMALL and request.method != hdrs.METH_HEAD:
        return web.Response(status=status, headers=sent, body=await store.read_range(key, offset, length))
    response = web.StreamResponse(status=status, headers=sent)
    response.content_length = length
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        async for chunk in store.stream(key, offset=offset, length=length):
            await response.write(chunk)
    await response.write_eof()
    return response


def serve_text(
    request: web.Request, text: str, *, content_type: str, cache_control: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Text made for this answer, with an ETag like everything else."""
    body = text.encode()
    sent = {hdrs.ETAG: etag_of(body), hdrs.CACHE_CONTROL: cache_control, hdrs.CONTENT_TYPE: content_type}
    if matches(request.headers.get(hdrs.IF_NONE_MATCH, ""), sent[hdrs.ETAG]):
        return web.Response(status=304, headers=sent)
    return web.Response(body=body, headers=sent | dict(headers or {}))


def attachment(title: str, ending: str) -> dict[str, str]:
    """Headers that have a browser save the answer under a video's title (RFC 6266): once as every program reads it,
    once in UTF-8 (RFC 8187). `ending` is ours."""
    name = _UNFIT.sub("_", "".join(c for c in title if unicodedata.category(c) != "Cf"))[:NAME_LENGTH].strip()
    name = (name or "clip") + ending
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = plain if plain.removesuffix(ending).strip(" _") else f"clip{ending}"
    return {hdrs.CONTENT_DISPOSITION: f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}


def _span(request: web.Request, size: int, etag: str) -> ranges.Span | None:
    """Ranges mean something to GET alone (RFC 9110 §14.2)."""
    if request.method != hdrs.METH_GET or request.headers.get(hdrs.IF_RANGE, etag) != etag:
        return None
    try:
        return ranges.parse(request.headers.get(hdrs.RANGE, ""), size)
    except ranges.Unsatisfiable as error:
        raise Problem(416, "Range not satisfiable", headers={hdrs.CONTENT_RANGE: f"bytes */{size}"}) from error
