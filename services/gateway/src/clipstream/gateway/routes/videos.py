"""Videos: list, look, edit, delete, and how far each is."""

from __future__ import annotations

import asyncio
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from clipstream.gateway import commands, edits, purging, views
from clipstream.gateway.access import Access
from clipstream.gateway.clip import Status
from clipstream.gateway.fields import Prose, Tag, Tags, Title, Words
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Body, Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.routes.conditional import PRECONDITION_FAILED, require_match
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Processing, Video, VideoDetails

table = RouteTable("videos")
PURGE_PATIENCE_S = 10


class VideosQuery(PageQuery):
    """Which videos of a stream. What is given must all hold."""

    status: Status | None = None
    uploader_id: UUID | None = None
    tag: Tag | None = Field(default=None, description="capitals make no difference")
    q: Words | None = Field(default=None, description="part of the title; capitals make no difference")


class VideoEdit(Body):
    """What to change; what is left out or null stays as it is. Tags replace those before: at most 20, each once,
    whatever its capitals."""

    title: Title | None = None
    description: Prose | None = None
    tags: Tags | None = None


class VideoList(BaseModel):
    videos: list[Video]
    next_cursor: str | None


@table.route("GET", "/streams/{stream_id}/videos", access=Access.VIEWER)
async def list_videos(call: Call, path: StreamPath, query: VideosQuery) -> VideoList:
    """The videos of a stream, newest first"""
    rows = await videos.of_stream(
        call.services.pool,
        path.stream_id,
        limit=query.one_more,
        after=query.after,
        status=query.status,
        uploader_id=query.uploader_id,
        tag=query.tag,
        title=query.q,
    )
    return VideoList(videos=[views.video(row) for row in query.shown(rows)], next_cursor=query.next_cursor(rows))


@table.route("GET", "/videos/{video_id}", access=Access.VIEWER)
async def get_video(call: Call, path: VideoPath) -> VideoDetails:
    """Everything about one video"""
    return views.details(call.found)


@table.route(
    "PUT",
    "/videos/{video_id}",
    access=Access.UPLOADER,
    errors={412: PRECONDITION_FAILED},
    invalid="Invalid video data",
)
async def edit_video(call: Call, path: VideoPath, body: VideoEdit) -> VideoDetails:
    """Change a video's title, description or tags; with If-Match only the version that was seen"""
    services = call.services

    def seen(row: Record) -> None:
        require_match(call.request, views.details(row))

    row = await edits.edit_video(
        services.pool, path.video_id, title=body.title, description=body.description, tags=body.tags, check=seen
    )
    if row is None:
        raise Problem(404, "Video not found")
    services.projector.tell(path.video_id, row["stream_id"])
    return views.details(row)


@table.route("DELETE", "/videos/{video_id}", access=Access.UPLOADER, status=204)
async def delete_video(call: Call, path: VideoPath) -> None:
    """Delete a video with everything that was made of it"""
    services, stream_id = call.services, call.standing.stream_id
    if not await commands.delete_video(services.pool, video_id=path.video_id, stream_id=stream_id):
        raise Problem(404, "Video not found")
    services.projector.tell(path.video_id, stream_id)
    await services.dispatcher.sweep()
    try:
        async with asyncio.timeout(PURGE_PATIENCE_S), services.pool.acquire() as connection, connection.transaction():
            await purging.purge(connection, services.store, path.video_id)
    except TimeoutError:
        return  # the sweeper removes the rest


@table.route("GET", "/videos/{video_id}/processing", access=Access.VIEWER)
async def get_processing(call: Call, path: VideoPath) -> Processing:
    """Every stage with its state, progress, attempts and error"""
    return await views.processing(call.services.pool, call.services.estimates, call.found)
