"""The same as `/processing`, live. A snapshot comes first, then every change; a reader that reconnects and names the last
id it saw gets no snapshot where nothing happened meanwhile."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from clipstream.common.contracts.events import ClipProgress, Stage
from clipstream.common.errors import Outage
from clipstream.gateway import access, views
from clipstream.gateway.access import Access
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import videos
from clipstream.gateway.routes.api import Call, RouteTable, StreamPath, VideoPath
from clipstream.gateway.sse import HEARTBEAT_S, EventWriter, stream
from clipstream.gateway.views import Video

table = RouteTable("events")
SNAPSHOT_LIMIT = 100


class Tick(BaseModel):
    """A stage gets on. `fraction` is 0..1."""

    id: UUID
    stage: Stage
    state: Literal["started", "running", "retrying"]
    fraction: float
    attempt: int
    note: str | None


class Gone(BaseModel):
    """The video was deleted."""

    id: UUID


class Snapshot(BaseModel):
    """The newest videos of a stream, as they stand."""

    videos: list[Video]


@table.route("GET", "/videos/{video_id}/events", access=Access.VIEWER, content=("text/event-stream",))
async def watch_video(call: Call, path: VideoPath) -> web.StreamResponse:
    """Live: `processing` with the whole state at every change, `progress` between, `deleted` at the end"""
    video_id = path.video_id
    seen = call.request.headers.get("Last-Event-ID")

    async def feed(writer: EventWriter) -> None:
        with call.services.feed.watch_video(video_id) as subscription:
            revision = await _send_processing(call, writer, video_id, unless=seen)
            while revision is not None:
                changed, progress = await subscription.wait(HEARTBEAT_S)
                await _send_progress(writer, progress)
                if changed:
                    revision = await _send_processing(call, writer, video_id, unless=revision)
                elif not progress:
                    await _keep(call, writer)

    return await stream(call, feed)


@table.route("GET", "/streams/{stream_id}/events", access=Access.VIEWER, content=("text/event-stream",))
async def watch_stream(call: Call, path: StreamPath) -> web.StreamResponse:
    """Live: `snapshot` of the newest videos, then `video` at every change, `progress` between, `deleted`"""
    pool = call.services.pool

    async def feed(writer: EventWriter) -> None:
        with call.services.feed.watch_stream(path.stream_id) as subscription:
            rows = await videos.of_stream(pool, path.stream_id, limit=SNAPSHOT_LIMIT)
            await writer.send("snapshot", Snapshot(videos=[views.video(row) for row in rows]))
            told = {row["id"]: row["revision"] for row in rows}
            while True:
                changed, progress = await subscription.wait(HEARTBEAT_S)
                await _send_progress(writer, progress)
                await _send_videos(call, writer, changed, told)
                if not changed and not progress:
                    await _keep(call, writer)

    return await stream(call, feed)


async def _send_processing(call: Call, writer: EventWriter, video_id: UUID, *, unless: str | None) -> str | None:
    """Tell the state where it is not the one already told; its revision, or None where the video is gone."""
    row = await videos.by_id(call.services.pool, video_id)
    state = await views.processing(call.services.pool, call.services.estimates, video_id)
    if row is None or state is None:
        await writer.send("deleted", Gone(id=video_id))
        return None
    revision = str(row["revision"])
    if revision != unless:
        await writer.send("processing", state, event_id=revision)
    return revision


async def _send_videos(call: Call, writer: EventWriter, changed: set[UUID], told: dict[UUID, int]) -> None:
    """Tell the state of changed videos where it is not the one already told: a change may be noticed twice."""
    rows = await videos.by_ids(call.services.pool, list(changed)) if changed else {}
    for video_id in changed:
        row = rows.get(video_id)
        if row is None:
            told.pop(video_id, None)
            await writer.send("deleted", Gone(id=video_id))
        elif told.get(video_id) != row["revision"]:
            told[video_id] = row["revision"]
            await writer.send("video", views.video(row))


async def _send_progress(writer: EventWriter, progress: list[ClipProgress]) -> None:
    for event in progress:
        tick = Tick(
            id=event.video_id,
            stage=event.stage,
            state=event.state,
            fraction=event.fraction,
            attempt=event.attempt,
            note=event.note,
        )
        await writer.send("progress", tick)


async def _keep(call: Call, writer: EventWriter) -> None:
    """A heartbeat, after looking whether the reader may still read: roles change, members leave."""
    try:
        await access.to_stream(call.services.pool, Access.VIEWER, call.standing.stream_id, call.caller.id)
    except Problem as problem:
        raise TimeoutError(problem.error) from problem
    except Outage:
        pass
    await writer.heartbeat()
