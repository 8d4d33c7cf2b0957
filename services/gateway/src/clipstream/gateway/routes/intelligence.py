"""What the pipeline found out about a video: copies, similar ones, what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

from aiohttp import web
from asyncpg import Record
from pydantic import BaseModel

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage
from clipstream.gateway import captions, views
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem, unavailable
from clipstream.gateway.repository import stages, videos
from clipstream.gateway.routes.api import Call, Query, Reply, RouteTable, VideoPath
from clipstream.gateway.serving import serve_object
from clipstream.gateway.views import Person, fact

table = RouteTable("intelligence")
SIMILAR_LIMIT = 20
CAPTIONS_LIMIT = 4 << 20


class OriginalVideo(BaseModel):
    id: UUID
    title: str
    uploaded_by: Person
    uploaded_at: datetime


class Duplicate(BaseModel):
    """The video is a copy of one that was there before. `kind` says whether the files are equal or only their content."""

    is_duplicate: Literal[True] = True
    original_video: OriginalVideo
    kind: Literal["identical", "remuxed"]
    similarity: float


class SimilarVideo(BaseModel):
    id: UUID
    title: str
    similarity: float
    thumbnail_url: str


class SimilarVideos(BaseModel):
    similar_videos: list[SimilarVideo]


class NotComplete(BaseModel):
    error: str = "Processing not complete"
    processing_index: int


class TranscriptQuery(Query):
    format: Literal["json", "vtt", "srt", "txt"] = "json"


@table.route("GET", "/videos/{video_id}/duplicates", access=Access.VIEWER, errors={404: "Not a duplicate video"})
async def get_duplicate(call: Call, path: VideoPath) -> Duplicate:
    """Which video this one is a copy of"""
    row = await _row(call, path)
    found = fact(row, "duplicate")
    original = await videos.by_id(call.services.pool, UUID(found["original_id"])) if found else None
    if original is None or original["stream_id"] != row["stream_id"]:
        raise Problem(404, "Not a duplicate video")
    return Duplicate(
        original_video=OriginalVideo(
            id=original["id"],
            title=original["title"],
            uploaded_by=views.uploader(original),
            uploaded_at=original["uploaded_at"] or original["created_at"],
        ),
        kind=found["kind"],
        similarity=found["similarity"],
    )


@table.route(
    "GET",
    "/videos/{video_id}/similar",
    access=Access.VIEWER,
    also={202: NotComplete},
    errors={503: "Search unavailable"},
)
async def list_similar(call: Call, path: VideoPath) -> SimilarVideos | Reply:
    """Videos of the same stream that look alike, the most similar first"""
    row = await _row(call, path)
    if row["status"] in ("uploading", "processing"):
        return Reply(NotComplete(processing_index=row["processing_index"]), status=202)
    if row["status"] != "ready":
        return SimilarVideos(similar_videos=[])
    try:
        answer = await call.services.search.similar(path.video_id, [call.standing.stream_id], limit=SIMILAR_LIMIT)
    except Outage as error:
        raise unavailable("Search unavailable", str(error)) from error
    rows = await videos.by_ids(call.services.pool, [hit.video_id for hit in answer.videos])
    return SimilarVideos(
        similar_videos=[
            SimilarVideo(
                id=hit.video_id,
                title=found["title"],
                similarity=hit.similarity,
                thumbnail_url=views.thumbnail_url(hit.video_id),
            )
            for hit in answer.videos
            if (found := rows.get(hit.video_id)) is not None and found["stream_id"] == call.standing.stream_id
        ]
    )


@table.route(
    "GET",
    "/videos/{video_id}/transcript",
    access=Access.VIEWER,
    also={202: NotComplete},
    content=("application/json", "text/vtt", "application/x-subrip", "text/plain"),
    errors={404: "Transcript not available"},
)
async def get_transcript(call: Call, path: VideoPath, query: TranscriptQuery) -> web.StreamResponse:
    """What was said: JSON with word times, WebVTT, SubRip or plain text"""
    row = await _row(call, path)
    told = fact(row, "transcript")
    if not told:
        return await _no_transcript(call, row)
    try:
        if query.format in ("json", "vtt"):
            return await _as_stored(call, told["key"] if query.format == "json" else told["captions_key"], query.format)
        raw = await call.services.store.get(ObjectKey(told["captions_key"]), limit=CAPTIONS_LIMIT)
    except NotFound as error:
        raise Problem(404, "Transcript not available") from error
    convert: Callable[[str], str] = captions.srt if query.format == "srt" else captions.plain
    text = await asyncio.to_thread(convert, raw.decode(errors="replace"))
    return web.Response(
        text=text, content_type="application/x-subrip" if query.format == "srt" else "text/plain", charset="utf-8"
    )


async def _as_stored(call: Call, key: str, form: Literal["json", "vtt"]) -> web.StreamResponse:
    content_type = "application/json" if form == "json" else "text/vtt; charset=utf-8"
    return await serve_object(
        call.request,
        call.services.store,
        ObjectKey(key),
        content_type=content_type,
        cache_control="private, no-cache",
    )


async def _no_transcript(call: Call, row: Record) -> web.StreamResponse:
    """Not yet, or never: then with the reason in words."""
    rows = {stage["stage"]: stage for stage in await stages.of_video(call.services.pool, row["id"])}
    stt = rows["stt"]
    if stt["state"] in ("queued", "running"):
        return Reply(NotComplete(processing_index=row["processing_index"]), status=202)
    raise Problem(404, "Transcript not available", [stt["error"]] if stt["error"] else [])


async def _row(call: Call, path: VideoPath) -> Record:
    row = await videos.by_id(call.services.pool, path.video_id)
    if row is None:
        raise Problem(404, "Video not found")
    return row
