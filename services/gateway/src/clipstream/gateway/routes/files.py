"""Files of a video that are asked for by its id."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web
from asyncpg import Record

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable, VideoPath
from clipstream.gateway.serving import serve_object
from clipstream.gateway.views import fact

table = RouteTable("files")


@table.route(
    "GET",
    "/files/videos/{video_id}/thumbnail",
    access=Access.VIEWER,
    content=("image/jpeg",),
    errors={404: "Thumbnail not found"},
)
async def get_thumbnail(call: Call, path: VideoPath) -> web.StreamResponse:
    """The poster picture, marked while processing or where the video is a duplicate"""
    row = await videos.by_id(call.services.pool, path.video_id)
    if row is None:
        raise Problem(404, "Video not found")
    for key in _candidates(row):
        try:
            return await serve_object(
                call.request, call.services.store, key, content_type="image/jpeg", cache_control="private, no-cache"
            )
        except NotFound:
            continue
    raise Problem(404, "Thumbnail not found")


def _candidates(row: Record) -> list[ObjectKey]:
    """The best picture first. A duplicate was never transcoded: its original, in the same stream, shows the same."""
    video_id = VideoId(row["id"])
    plain = keys.thumbnail(video_id)
    if row["processing_index"] > 0:
        return [keys.thumbnail(video_id, "processing"), plain]
    if row["processing_index"] == 0:
        return [plain]
    original = VideoId(UUID(fact(row, "duplicate")["original_id"]))
    return [keys.thumbnail(video_id, "duplicate"), plain, keys.thumbnail(original)]
