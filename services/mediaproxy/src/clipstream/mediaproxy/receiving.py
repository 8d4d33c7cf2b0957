"""What arrives to be stored: as a form with a file, or as the bare body. Never more than pieces of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.names import MAX_KEY_BYTES, check_key
from clipstream.mediaproxy.problems import Problem, invalid, too_large

KEY_HEADER = "X-Object-Key"
KEY_FIELD, FILE_FIELD = "key", "file"
_UNTYPED = "application/octet-stream"
_PIECE = 1 << 20
_PATIENCE_S = 60
_FORM_OVERHEAD = 64 << 10  # boundaries, headers and the key
_BROKEN = (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError, web.HTTPException)


@dataclass(frozen=True)
class Arriving:
    """An object whose bytes are on their way."""

    key: ObjectKey
    content_type: str
    body: AsyncIterator[bytes]


async def arriving(request: web.Request, limit: int) -> Arriving:
    """What the request brings. 400 without a good key or with a broken form, 413 for more than `limit` bytes."""
    form = request.content_type == "multipart/form-data"
    if (request.content_length or 0) > limit + (_FORM_OVERHEAD if form else 0):
        raise too_large(limit)
    key = _named(request)
    if form:
        return await _from_form(request, key, limit)
    content_type = request.headers.get(hdrs.CONTENT_TYPE, _UNTYPED)
    return Arriving(_key(key), content_type, bounded(request, limit))


async def bounded(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """The body, up to `limit` bytes: one more is 413. A sender that falls silent is 408."""
    async for piece in _within(request.content.iter_chunked(_PIECE), limit):
        yield piece


async def _from_form(request: web.Request, key: str | None, limit: int) -> Arriving:
    try:
        reader: Any = await request.multipart()
        while True:
            async with asyncio.timeout(_PATIENCE_S):
                part = await reader.next()
            if not isinstance(part, BodyPartReader):
                raise invalid(f"The form has no part named {FILE_FIELD}.")
            if part.name == FILE_FIELD:
                content_type = part.headers.get(hdrs.CONTENT_TYPE, _UNTYPED)
                return Arriving(_key(key), content_type, _within(_last_part(reader, part), limit))
            if part.name != KEY_FIELD or key is not None:
                raise invalid(f"A form holds one {KEY_FIELD}, and after it one {FILE_FIELD}.")
            key = await _text(part)
    except TimeoutError as error:
        raise Problem(408, "Request timed out") from error
    except _BROKEN as error:
        raise invalid("The form cannot be read.") from error


async def _text(part: BodyPartReader) -> str:
    raw = await part.read_chunk(MAX_KEY_BYTES + 1)
    if await part.read_chunk(1):
        raise invalid(f"The object key is longer than {MAX_KEY_BYTES} bytes.")
    return bytes(raw).decode()


async def _last_part(form: Any, part: BodyPartReader) -> AsyncIterator[bytes]:
    """The part's bytes. aiohttp takes the end of the body for the end of a part: only the form's own end proves that all
    of it is there."""
    while piece := await part.read_chunk(_PIECE):
        yield bytes(piece)
    if await form.next() is not None:
        raise invalid(f"Nothing follows the {FILE_FIELD}.")


async def _within(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    total = 0
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                piece = await anext(pieces, None)
        except TimeoutError as error:
            raise Problem(408, "Request timed out") from error
        except _BROKEN as error:  # aiohttp tells a broken body by many kinds of errors
            raise invalid("The body cannot be read.") from error
        if piece is None:
            return
        total += len(piece)
        if total > limit:
            raise too_large(limit)
        yield piece


def _named(request: web.Request) -> str | None:
    """The key in the query, or percent-encoded in a header: headers hold ASCII only."""
    given = request.query.getall(KEY_FIELD, [])
    try:
        given += [unquote(name, errors="strict") for name in request.headers.getall(KEY_HEADER, [])]
    except UnicodeDecodeError:
        raise invalid(f"{KEY_HEADER} is not percent-encoded UTF-8.") from None
    if len(given) > 1:
        raise invalid("The object key is named more than once.")
    return given[0] if given else None


def _key(key: str | None) -> ObjectKey:
    if key is None:
        raise invalid(f"No object key is named: send {KEY_HEADER}, ?{KEY_FIELD}=, or a {KEY_FIELD} before the file.")
    check_key(key)
    return ObjectKey(key)
