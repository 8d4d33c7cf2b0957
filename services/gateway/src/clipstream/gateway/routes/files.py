"""Files of a video that are asked for by its id."""

from __future__ import annotations

from pathlib import PurePosixPath

from aiohttp import web
from asyncpg import Record

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.gateway.access import Access
from clipstream.gateway.playing import original_of
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.api import Call, RouteTable, VideoPath
from clipstream.gateway.serving import attachment, serve_object
from clipstream.gateway.views import fact

table = RouteTable("files")
_REVALIDATE = "private, no-cache"
UNKNOWN_TYPE = "application/octet-stream"
# By the demuxer that read the file, never by what its uploader said: with pictures, and without.
TYPES: dict[str, tuple[str, str]] = {
    "mov,mp4,m4a,3gp,3g2,mj2": ("video/mp4", "audio/mp4"),
    "matroska,webm": ("video/x-matroska", "audio/x-matroska"),
    "avi": ("video/x-msvideo", "video/x-msvideo"),
    "flv": ("video/x-flv", "video/x-flv"),
    "asf": ("video/x-ms-wmv", "audio/x-ms-wma"),
    "mp3": ("audio/mpeg", "audio/mpeg"),
    "wav": ("audio/wav", "audio/wav"),
    "flac": ("audio/flac", "audio/flac"),
    "aac": ("audio/aac", "audio/aac"),
    "ogg": ("video/ogg", "audio/ogg"),
}
_HARMLESS = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


@table.route(
    "GET",
    "/files/videos/{video_id}/stream",
    access=Access.VIEWER,
    content=(UNKNOWN_TYPE, *sorted({kind for both in TYPES.values() for kind in both})),
    errors={404: "File not found", 416: "Range not satisfiable"},
)
async def get_file(call: Call, path: VideoPath) -> web.StreamResponse:
    """The file as it was uploaded, whole or a range of it"""
    row = call.found
    key, store = ObjectKey(row["key"]), call.services.store
    if row["status"] == "uploading":
        raise Problem(404, "File not found", ["It has not arrived yet."])
    headers = attachment(row["title"], PurePosixPath(key).suffix) | _HARMLESS
    try:
        return await serve_object(
            call.request, store, key, content_type=_type(row), cache_control=_REVALIDATE, headers=headers
        )
    except NotFound as error:
        raise Problem(404, "File not found") from error


def _type(row: Record) -> str:
    media = fact(row, "media")
    pictured, heard = TYPES.get(media.get("container", ""), (UNKNOWN_TYPE, UNKNOWN_TYPE))
    return pictured if media.get("video") else heard


@table.route(
    "GET",
    "/files/videos/{video_id}/thumbnail",
    access=Access.VIEWER,
    content=("image/jpeg",),
    errors={404: "Thumbnail not found", 416: "Range not satisfiable"},
)
async def get_thumbnail(call: Call, path: VideoPath) -> web.StreamResponse:
    """The poster picture, marked while processing or where the video is a duplicate"""
    row = call.found
    try:
        return await serve_object(
            call.request,
            call.services.store,
            await _picture(call, row),
            content_type="image/jpeg",
            cache_control=_REVALIDATE,
        )
    except NotFound as error:
        raise Problem(404, "Thumbnail not found") from error


async def _picture(call: Call, row: Record) -> ObjectKey:
    """What is shown of a video in its state. Where a duplicate has no picture of its own, its original, in the same
    stream, shows the same."""
    marked = call.services.thumbnails.marked
    if row["status"] in ("uploading", "processing"):
        return await marked(row["id"], "processing", title=row["title"], poster=_poster(row))
    if row["status"] == "duplicate":
        original = await original_of(call.services.pool, row)
        poster = _poster(row) or (None if original is None else _poster(original))
        return await marked(row["id"], "duplicate", title=row["title"], poster=poster)
    return keys.thumbnail(VideoId(row["id"]))


def _poster(row: Record) -> ObjectKey | None:
    """Before a stage has said that it is there nobody need ask the store."""
    return keys.thumbnail(VideoId(row["id"])) if fact(row, "preview") or fact(row, "playback") else None
