"""What stages wrote about a video, as files: what was said, and the vectors of its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from aiohttp import web
from asyncpg import Record

from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.gateway import captions
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import stages
from clipstream.gateway.routes.api import Call, Query, Reply, RouteTable, VideoPath
from clipstream.gateway.serving import attachment, serve_object, serve_text
from clipstream.gateway.views import NotComplete, fact

table = RouteTable("intelligence")
_CACHE = "private, no-cache"
Format = Literal["json", "vtt", "srt", "txt"]
_TYPES: dict[Format, str] = {
    "json": "application/json",
    "vtt": "text/vtt; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_CONVERTERS: dict[Format, Callable[[str], str]] = {"srt": captions.srt, "txt": captions.plain}


class TranscriptQuery(Query):
    format: Format = "json"
    download: bool = False


class EmbeddingsQuery(Query):
    download: bool = False


@table.route(
    "GET",
    "/videos/{video_id}/transcript",
    access=Access.VIEWER,
    also={202: NotComplete},
    content=("application/json", "text/vtt", "application/x-subrip", "text/plain"),
    errors={404: "Transcript not available", 416: "Range not satisfiable"},
)
async def get_transcript(call: Call, path: VideoPath, query: TranscriptQuery) -> web.StreamResponse:
    """What was said: JSON with word times, WebVTT, SubRip or plain text"""
    row = call.found
    told = fact(row, "transcript")
    if not told:
        return await _not_made(call, row, "stt", "Transcript not available")
    key = ObjectKey(told["key"] if query.format == "json" else told["captions_key"])
    headers = attachment(row["title"], f".{query.format}") if query.download else {}
    try:
        if (convert := _CONVERTERS.get(query.format)) is None:
            return await _as_stored(call, key, _TYPES[query.format], headers)
        raw = await call.services.store.get(key, limit=captions.LIMIT_BYTES)
    except NotFound as error:
        raise Problem(404, "Transcript not available") from error
    text = await asyncio.to_thread(convert, raw.decode(errors="replace"))
    return serve_text(call.request, text, content_type=_TYPES[query.format], cache_control=_CACHE, headers=headers)


@table.route(
    "GET",
    "/videos/{video_id}/embeddings",
    access=Access.VIEWER,
    also={202: NotComplete},
    content=("application/json",),
    errors={404: "Embeddings not available", 416: "Range not satisfiable"},
)
async def get_embeddings(call: Call, path: VideoPath, query: EmbeddingsQuery) -> web.StreamResponse:
    """The vectors of a video's pictures with their seconds, model and version"""
    row = call.found
    told = fact(row, "embedding")
    if not told:
        return await _not_made(call, row, "embed", "Embeddings not available")
    headers = attachment(row["title"], ".embeddings.json") if query.download else {}
    try:
        return await _as_stored(call, ObjectKey(told["key"]), "application/json", headers)
    except NotFound as error:
        raise Problem(404, "Embeddings not available") from error


async def _as_stored(call: Call, key: ObjectKey, content_type: str, headers: dict[str, str]) -> web.StreamResponse:
    return await serve_object(
        call.request, call.services.store, key, content_type=content_type, cache_control=_CACHE, headers=headers
    )


async def _not_made(call: Call, row: Record, name: Stage, error: str) -> web.StreamResponse:
    """Not yet, or never: then with the reason in words."""
    rows = {stage["stage"]: stage for stage in await stages.of_video(call.services.pool, row["id"])}
    stage = rows[name]
    if stage["state"] in ("queued", "running"):
        return Reply(NotComplete(processing_index=row["processing_index"]), status=202)
    reason = stage["error"] or row["error"]
    raise Problem(404, error, [reason] if reason else [])
