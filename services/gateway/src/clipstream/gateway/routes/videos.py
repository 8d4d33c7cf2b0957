"""Videos: list, look, delete, and how far each is."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from clipstream.gateway import commands, views
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Processing, Video, VideoDetails

table = RouteTable("videos")
PURGE_PATIENCE_S = 10


class VideoList(BaseModel):
    videos: list[Video]
    next_cursor: str | None


@table.route("GET", "/streams/{stream_id}/videos", access=Access.VIEWER)
async def list_videos(call: Call, path: StreamPath, query: PageQuery) -> VideoList:
    """The videos of a stream, newest first"""
    rows = await videos.of_stream(call.services.pool, path.stream_id, limit=query.one_more, after=query.after)
    return VideoList(videos=[views.video(row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route("GET", "/videos/{video_id}", access=Access.VIEWER)
async def get_video(call: Call, path: VideoPath) -> VideoDetails:
    """Everything about one video"""
    row = await videos.by_id(call.services.pool, path.video_id)
    if row is None:
        raise Problem(404, "Video not found")
    return views.details(row)


@table.route("DELETE", "/videos/{video_id}", access=Access.UPLOADER, status=204)
async def delete_video(call: Call, path: VideoPath) -> None:
    """Delete a video with everything that was made of it"""
    services, stream_id = call.services, call.standing.stream_id
    if not await commands.delete_video(services.pool, video_id=path.video_id, stream_id=stream_id):
        raise Problem(404, "Video not found")
    services.projector.tell(path.video_id, stream_id)
    try:
        async with asyncio.timeout(PURGE_PATIENCE_S), services.pool.acquire() as connection, connection.transaction():
            await commands.purge(connection, services.store, path.video_id)
    except TimeoutError:
        return  # the sweeper removes the rest


@table.route("GET", "/videos/{video_id}/processing", access=Access.VIEWER)
async def get_processing(call: Call, path: VideoPath) -> Processing:
    """Every stage with its state, progress, attempts and error"""
    seen = await views.processing(call.services.pool, call.services.estimates, path.video_id)
    if seen is None:
        raise Problem(404, "Video not found")
    return seen
